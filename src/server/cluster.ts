/** A group of processes that share one port, one a core: started, replaced where one dies, counted as one, stopped together. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { UserError } from "../errors.ts";
import type { Phase } from "../http/server/shutdown.ts";
import type { Message } from "./cluster-member.ts";
import { Gatherer } from "./cluster-metrics.ts";

/**
 * For the engine of each process, as in the Dockerfile and `npm start`: without a bound, its heap for new objects grows under load until a
 * process has 230 MiB instead of 155, and no cache holds it.
 */
export const ENGINE_FLAGS = ["--max-semi-space-size=4"];

/** Milliseconds before a process that died is replaced: doubled with each death, up to `listened` where it had listened, to `unheard` where not. */
const BACK_OFF = { first: 50, listened: 400, unheard: 5000 } as const;

/** Milliseconds of listening after which a death is no longer one of a row. */
const LASTING = 5000;

/** So many processes in a row that end before they listen, while no other one does, end the group. */
const ATTEMPTS = 8;

/** In the process that starts the others: it answers no request itself. */
export class Group {
  readonly #begun = Promise.withResolvers<number>();
  readonly #failed = Promise.withResolvers<UserError>();
  /** Since when each listens. */
  readonly #listening = new WeakMap<Worker, number>();
  /** Why one could not start, in its own words. */
  readonly #whys = new WeakMap<Worker, string>();
  readonly #logger: Logger;
  readonly #tokens: readonly string[];
  readonly #gatherer: Gatherer;
  #hasListened = false;
  #wait: number = BACK_OFF.first;
  #attempts = 0;
  #stopping = false;

  /**
   * `tokens` are the digests of the tokens that its processes accept: read once, since they change together or not at all. `registry` has
   * the metrics of the process that starts the others.
   */
  constructor(logger: Logger, tokens: readonly string[], registry: Registry) {
    this.#logger = logger;
    this.#tokens = tokens;
    this.#gatherer = new Gatherer(logger, registry, (worker) => this.#tell(worker, { lossd: "count" }));
    // Who is free takes the next connection from the one queue. Handed out by the first process instead, a connection whose receiver
    // dies at that moment would hang for good.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary();
    cluster.setupPrimary({ execArgv: [...(cluster.settings.execArgv ?? []), ...ENGINE_FLAGS] });
    // A message to a process that dies meanwhile fails here, too, and would end the group.
    cluster.on("fork", (worker) => worker.on("error", (error) => this.#note(worker, error)));
    cluster.on("exit", (worker, code, signal) => this.#replace(worker, code, signal));
    cluster.on("message", (worker: Worker, message: Message) => this.#hear(worker, message));
  }

  /** Starts the processes; the port, once one listens. Rejects with the reason where one ends before any has listened. */
  start(workers: number): Promise<number> {
    for (let count = 0; count < workers; count++) this.#fork();
    return this.#begun.promise;
  }

  /** The reason, once no process is left and none can be started any more. */
  get failed(): Promise<UserError> {
    return this.#failed.promise;
  }

  /** The metrics of all processes as one page; one that starts cannot answer yet, and has counted nothing. */
  page(): Promise<string> {
    return this.#gatherer.page(this.#serving);
  }

  /** Ready while a process listens; a process that has been started does not for a while. */
  get phase(): Phase {
    if (this.#stopping) return "stopping";
    return this.#serving.length > 0 ? "ready" : "starting";
  }

  /** Lets every process drain, and ends those that still live after `limit` milliseconds. */
  async stop(limit: number): Promise<void> {
    this.#stopping = true;
    for (const worker of this.#workers) {
      // One that has not listened yet has no request to finish, and may not hear a message yet.
      if (!this.#listening.has(worker)) worker.kill("SIGKILL");
      else this.#tell(worker, { lossd: "stop" });
    }
    const end = Date.now() + limit;
    while (this.#workers.length > 0 && Date.now() < end) await sleep(20);
    this.kill();
  }

  /** Ends every process at once. */
  kill(): void {
    this.#stopping = true;
    for (const worker of this.#workers) worker.kill("SIGKILL");
  }

  get #workers(): Worker[] {
    return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  }

  /** Those that take requests. */
  get #serving(): Worker[] {
    return this.#workers.filter((worker) => this.#listening.has(worker) && worker.isConnected());
  }

  #tell(worker: Worker, message: Message): void {
    if (!worker.isConnected()) return;
    worker.send(message, (error) => {
      if (error !== null) this.#note(worker, error);
    });
  }

  #note(worker: Worker, error: Error): void {
    this.#logger.warn({ worker: worker.id, err: error }, "a process cannot be reached");
  }

  #hear(worker: Worker, message: Message): void {
    if (message.lossd === "tokens") this.#tell(worker, { ...message, digests: this.#tokens });
    if (message.lossd === "page") this.#sendPage(worker);
    if (message.lossd === "counts") this.#gatherer.take(worker, message.counts);
    if (message.lossd === "failed") this.#whys.set(worker, message.why);
  }

  /** Where the page fails, who asked gives up after a while, and the group goes on. */
  async #sendPage(worker: Worker): Promise<void> {
    try {
      this.#tell(worker, { lossd: "page", page: await this.page() });
    } catch (error) {
      this.#logger.error({ err: error }, "the metrics cannot be added up");
    }
  }

  #fork(): void {
    if (this.#stopping) return;
    const worker = cluster.fork();
    worker.once("listening", ({ port }) => {
      this.#attempts = 0;
      this.#hasListened = true;
      this.#listening.set(worker, Date.now());
      // A Unix socket has none.
      this.#begun.resolve(Math.max(port ?? 0, 0));
    });
  }

  async #replace(worker: Worker, code: number, signal: string | null): Promise<void> {
    if (this.#stopping) return;
    const why = this.#whys.get(worker);
    const reason = new UserError(
      why ?? `a process ended before it listened, with ${signal ?? `code ${code}`}`,
    );
    // What keeps the first from listening keeps the next one, too: a port that is in use, say.
    if (!this.#hasListened) return this.#begun.reject(reason);
    const wait = this.#nextWait(worker);
    this.#logger.error(
      { worker: worker.id, code, signal, why, wait_ms: wait },
      "a process died and is replaced",
    );
    // While another one serves, half a group is better than none.
    if (this.#attempts >= ATTEMPTS && this.#serving.length === 0) return this.#failed.resolve(reason);
    await sleep(wait);
    this.#fork();
  }

  /** Milliseconds before the one that takes this one's place is started. */
  #nextWait(worker: Worker): number {
    const since = this.#listening.get(worker);
    if (since === undefined) this.#attempts++;
    else if (Date.now() - since > LASTING) this.#wait = BACK_OFF.first;
    const wait = Math.min(this.#wait, since === undefined ? BACK_OFF.unheard : BACK_OFF.listened);
    this.#wait = Math.min(wait * 2, BACK_OFF.unheard);
    return wait;
  }
}
