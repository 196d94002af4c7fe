/**
 * Kills silent workers, because connections to a stopped process or a blocked event loop would hang, and balances the
 * connections of the others.
 */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import inspector from "node:inspector";
import type { Logger } from "pino";
import type { Message } from "./cluster-member.ts";
import { surplusOf } from "./connection-balance.ts";

/** Interval of a worker's heartbeats, and of the checks of the primary. */
export const HEARTBEAT_MS = 1000;

/** Checks without a message after which a worker counts as silent. */
const SILENT_CHECKS = 3;

/** Checks without a message after which a worker is killed, several times the longest garbage collection. */
const KILL_CHECKS = 10;

/** Checks within which a new worker sends its first message. Starting takes less than a second on an idle machine. */
const START_CHECKS = 60;

/** Checks between two balances, so that every heartbeat counts the effect of the last one. */
const BALANCE_CHECKS = 2;

/**
 * Counts checks instead of time, so that a primary that was stopped together with its workers kills none of them when
 * it continues.
 */
export class Heartbeats {
  readonly #logger: Logger;
  readonly #send: (worker: Worker, message: Message) => void;
  /** Busy connections in the last heartbeat of each worker. A worker that cannot accept connections has none. */
  readonly #busy = new Map<Worker, number>();
  #checks = 0;
  /** Checks since the last message of each worker. */
  readonly #missed = new Map<Worker, number>();

  /** `send` sends a message to a worker. */
  constructor(logger: Logger, send: (worker: Worker, message: Message) => void) {
    this.#logger = logger;
    this.#send = send;
    cluster.on("fork", (worker) => this.#missed.set(worker, KILL_CHECKS - START_CHECKS));
    cluster.on("message", (worker: Worker, message: Message) => {
      this.#missed.set(worker, 0);
      if (message.lossd !== "alive") return;
      if (message.busy === undefined) this.#busy.delete(worker);
      else this.#busy.set(worker, message.busy);
    });
    cluster.on("exit", (worker) => {
      this.#missed.delete(worker);
      this.#busy.delete(worker);
    });
    const check = (): void => {
      this.#check();
      if (++this.#checks % BALANCE_CHECKS === 0) this.#balance();
    };
    setInterval(check, HEARTBEAT_MS).unref();
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
      if (this.isSilent(worker)) this.#busy.delete(worker);
      if (missed + 1 !== KILL_CHECKS) continue;
      this.#logger.error(
        { worker: worker.id, worker_pid: worker.process.pid },
        "worker is silent, killing it",
      );
      worker.kill("SIGKILL");
    }
  }

  /** Waits until every worker accepts connections because a client could not reconnect to another. */
  #balance(): void {
    if (this.#busy.size < this.#missed.size) return;
    const workers = [...this.#busy.keys()];
    for (const [at, surplus] of surplusOf([...this.#busy.values()]).entries())
      if (surplus > 0) this.#send(workers[at]!, { lossd: "surplus", connections: surplus });
  }
}
