/** Kills silent workers, because connections to a stopped process or a blocked event loop would hang. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import inspector from "node:inspector";
import type { Logger } from "pino";

/** Interval of a worker's heartbeats, and of the checks of the primary. */
export const HEARTBEAT_MS = 1000;

/** Checks without a message after which a worker counts as silent. */
const SILENT_CHECKS = 3;

/** Checks without a message after which a worker is killed, several times the longest garbage collection. */
const KILL_CHECKS = 10;

/** Checks within which a new worker sends its first message. Starting takes less than a second on an idle machine. */
const START_CHECKS = 60;

/**
 * Counts checks instead of time, so that a primary that was stopped together with its workers kills none of them when
 * it continues.
 */
export class Heartbeats {
  readonly #logger: Logger;
  /** Checks since the last message of each worker. */
  readonly #missed = new Map<Worker, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
    cluster.on("fork", (worker) => this.#missed.set(worker, KILL_CHECKS - START_CHECKS));
    cluster.on("message", (worker) => this.#missed.set(worker, 0));
    cluster.on("exit", (worker) => this.#missed.delete(worker));
    setInterval(() => this.#check(), HEARTBEAT_MS).unref();
  }

  /** Whether `worker` has been silent for {@link SILENT_CHECKS} or more. */
  isSilent(worker: Worker): boolean {
    return (this.#missed.get(worker) ?? 0) >= SILENT_CHECKS;
  }

  #check(): void {
    // A debugger pauses workers for longer.
    if (inspector.url() !== undefined) return;
    for (const [worker, missed] of this.#missed) {
      this.#missed.set(worker, missed + 1);
      if (missed + 1 !== KILL_CHECKS) continue;
      this.#logger.error({ worker: worker.id, pid: worker.process.pid }, "worker is silent, killing it");
      worker.kill("SIGKILL");
    }
  }
}
