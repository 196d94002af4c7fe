/** Admission by time: how long the larger requests that are under way would make another one wait, estimated from announced bytes. */
import { performance } from "node:perf_hooks";
import { Problem } from "../problems.ts";

/** Seconds for a byte of body, its gradient among the answer, as bench/RESULTS.md has them; numbers as text cost the most. */
const SECONDS_A_BYTE = { json: 25e-9, binary: 1.5e-9 };

/** Requests of at most so many seconds (1 MiB of JSON) are let in without a look: large ones never starve them. */
const SMALL = 2 ** 20 * SECONDS_A_BYTE.json;

/** Milliseconds between two looks at how busy the event loop is. */
const LOOK = 1000;

/** Seconds for a body of so many bytes of JSON, and of numbers as they are in memory. */
export function estimate(json: number, binary: number): number {
  return json * SECONDS_A_BYTE.json + binary * SECONDS_A_BYTE.binary;
}

interface Work {
  readonly seconds: number;
  readonly arrived: () => number;
}

export class Backlog {
  readonly #limit: number;
  readonly #works = new Set<Work>();
  /** The part of the time in which the event loop works: estimates count in full until it is known that senders are slower. */
  #busy = 1;
  #look: NodeJS.Timeout | undefined;

  /** Requests may wait `limit` seconds for others. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Seconds of work under way, as estimated. */
  get seconds(): number {
    return this.#wait(Infinity);
  }

  /** Refuses a request of so many seconds with `overloaded` if it would wait too long for those under way. */
  check(seconds: number): void {
    if (seconds <= SMALL) return;
    const wait = this.#wait(seconds);
    if (wait <= this.#limit) return;
    const detail = `the requests under way would make this one wait ${wait.toFixed(1)} s, expected at most ${this.#limit}`;
    throw new Problem("overloaded", detail, { retryAfter: Math.ceil(wait - this.#limit) });
  }

  /** Puts a request under way, until the function that is returned is called; `arrived` tells the part of its body that is there. */
  add(seconds: number, arrived: () => number): () => void {
    if (seconds <= SMALL) return () => {};
    const work = { seconds, arrived };
    this.#works.add(work);
    this.#look ??= this.#watchLoop();
    return () => this.#remove(work);
  }

  #remove(work: Work): void {
    this.#works.delete(work);
    if (this.#works.size > 0) return;
    clearInterval(this.#look);
    this.#look = undefined;
    this.#busy = 1;
  }

  /** Requests take turns: one under way costs another what is left of it, but no more than the other's own time. */
  #wait(seconds: number): number {
    let wait = 0;
    // Half of the time goes with the body's arriving; the other half is over when the answer has left.
    for (const work of this.#works) wait += Math.min(seconds, work.seconds * (1 - work.arrived() / 2));
    return wait * this.#busy;
  }

  #watchLoop(): NodeJS.Timeout {
    let last = performance.eventLoopUtilization();
    return setInterval(() => {
      const now = performance.eventLoopUtilization();
      this.#busy = performance.eventLoopUtilization(now, last).utilization;
      last = now;
    }, LOOK).unref();
  }
}
