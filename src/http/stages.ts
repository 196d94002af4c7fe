/** Where a request's time goes: it is in one stage at a time, from the end of its head to the end of its answer. */

/** In the order in which a request passes them; read and decode, encode and write take turns. */
export const STAGES = ["wait", "read", "decode", "compute", "encode", "write"] as const;

export type Stage = (typeof STAGES)[number];

export class Stages {
  #stage: Stage = "wait";
  #since = performance.now();
  readonly #spent: Record<Stage, number> = { wait: 0, read: 0, decode: 0, compute: 0, encode: 0, write: 0 };

  /** Enters a stage, and with that leaves the one before. */
  enter(stage: Stage): void {
    const now = performance.now();
    this.#spent[this.#stage] += now - this.#since;
    this.#since = now;
    this.#stage = stage;
  }

  /** Leaves the last stage: its time counts up to now. */
  end(): void {
    this.enter(this.#stage);
  }

  /** Seconds in a stage so far. */
  seconds(stage: Stage): number {
    return this.#spent[stage] / 1000;
  }
}
