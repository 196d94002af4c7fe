/** Cluster of workers that share one port: starts, replaces and stops them, and aggregates their metrics. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Phase } from "../http/server/shutdown.ts";
import { UserError } from "../user-error.ts";
import type { Message } from "./cluster-member.ts";
import { ClusterMetrics } from "./cluster-metrics.ts";
import { Heartbeats } from "./heartbeats.ts";
import { HEAP_FLAG } from "./new-space.ts";

/** Node flags of a server. SIGUSR1 would open the inspector, which runs any code, until src/main.ts handles it. */
export const ENGINE_FLAGS = [HEAP_FLAG, "--disable-sigusr1"];

/** Delays before a dead worker is replaced, in milliseconds. Each death doubles the delay, up to `listened` or `unheard`. */
const BACK_OFF_MS = { first: 50, listened: 400, unheard: 5000 } as const;

/** Uptime after which the delay is reset. */
const STABLE_MS = 5000;

/** Time beyond the shutdown limit for workers that respond, in milliseconds. */
const KILL_MARGIN_MS = 2000;

/** Limit of consecutive failed starts while no worker listens. */
const MAX_FAILED_STARTS = 8;

/** Runs in the primary process, which serves no request itself. */
export class Cluster {
  readonly #begun = Promise.withResolvers<number>();
  readonly #failed = Promise.withResolvers<UserError>();
  /** Time at which each worker began to listen. */
  readonly #listening = new WeakMap<Worker, number>();
  /** Reasons of failed starts, as the workers reported them. */
  readonly #reasons = new WeakMap<Worker, string>();
  readonly #logger: Logger;
  #tokens: readonly string[];
  readonly #metrics: ClusterMetrics;
  readonly #heartbeats: Heartbeats;
  #hasListened = false;
  #wait: number = BACK_OFF_MS.first;
  #attempts = 0;
  #stopping = false;

  /** `tokens` are digests, read once for all workers, so that they accept the same tokens. `registry` holds the metrics of the primary. */
  constructor(logger: Logger, tokens: readonly string[], registry: Registry) {
    this.#logger = logger;
    this.#tokens = tokens;
    this.#metrics = new ClusterMetrics(logger, registry, (worker) => this.#send(worker, { lossd: "count" }));
    this.#heartbeats = new Heartbeats(logger, (worker, message) => this.#send(worker, message));
    // Lets idle workers accept from one queue, and balances afterwards (connection-balance.ts). With round robin, a
    // connection would hang forever if its worker died during the handover.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary();
    cluster.setupPrimary({ execArgv: [...(cluster.settings.execArgv ?? []), ...ENGINE_FLAGS] });
    cluster.on("exit", (worker, code, signal) => this.#replace(worker, code, signal));
    cluster.on("message", (worker: Worker, message: Message) => this.#onMessage(worker, message));
  }

  /** Starts the workers and returns the port once one listens. Rejects if a worker ends before any has listened. */
  start(workers: number): Promise<number> {
    for (let count = 0; count < workers; count++) this.#fork();
    return this.#begun.promise;
  }

  /** Replaces the accepted tokens of all workers, given as digests. */
  accept(tokens: readonly string[]): void {
    this.#tokens = tokens;
    for (const worker of this.#workers) this.#send(worker, { lossd: "tokens", digests: tokens });
  }

  /** Resolves with the reason once no worker is left and none can start. */
  get failed(): Promise<UserError> {
    return this.#failed.promise;
  }

  /** Builds the metrics page of all workers. Starting workers are left out because they have counted nothing. */
  page(): Promise<string> {
    return this.#metrics.page(this.#serving);
  }

  /** Ready while a worker listens and is not silent. */
  get phase(): Phase {
    if (this.#stopping) return "stopping";
    return this.#serving.some((worker) => !this.#heartbeats.isSilent(worker)) ? "ready" : "starting";
  }

  /** Shuts every worker down. Kills silent workers after `limit` milliseconds, and the rest {@link KILL_MARGIN_MS} later. */
  async stop(limit: number): Promise<void> {
    this.#stopping = true;
    for (const worker of this.#workers) {
      // Kills a worker that does not listen yet because it has no request to finish and may miss the message.
      if (!this.#listening.has(worker)) worker.kill("SIGKILL");
      else this.#send(worker, { lossd: "stop" });
    }
    await this.#allEnded(limit);
    for (const worker of this.#workers) if (this.#heartbeats.isSilent(worker)) worker.kill("SIGKILL");
    await this.#allEnded(KILL_MARGIN_MS);
    this.kill();
  }

  /** Waits until no worker is left, at most `limit` milliseconds. */
  async #allEnded(limit: number): Promise<void> {
    const end = performance.now() + limit;
    while (this.#workers.length > 0 && performance.now() < end) await sleep(20);
  }

  /** Kills every worker at once. */
  kill(): void {
    this.#stopping = true;
    for (const worker of this.#workers) worker.kill("SIGKILL");
  }

  get #workers(): Worker[] {
    return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  }

  /** Workers that accept requests. */
  get #serving(): Worker[] {
    return this.#workers.filter((worker) => this.#listening.has(worker) && worker.isConnected());
  }

  #send(worker: Worker, message: Message): void {
    if (!worker.isConnected()) return;
    worker.send(message, (error) => {
      if (error !== null) this.#logUnreachable(worker, error);
    });
  }

  #logUnreachable(worker: Worker, error: Error): void {
    this.#logger.warn({ worker: worker.id, err: error }, "cannot send a message to a worker");
  }

  #onMessage(worker: Worker, message: Message): void {
    if (message.lossd === "tokens") this.#send(worker, { ...message, digests: this.#tokens });
    if (message.lossd === "page") this.#sendPage(worker);
    if (message.lossd === "counts") this.#metrics.take(worker, message.counts);
    if (message.lossd === "failed") this.#reasons.set(worker, message.why);
  }

  /** Logs a failure and sends no reply, so that the worker's request times out. */
  async #sendPage(worker: Worker): Promise<void> {
    try {
      this.#send(worker, { lossd: "page", page: await this.page() });
    } catch (error) {
      this.#logger.error({ err: error }, "cannot aggregate the metrics");
    }
  }

  #fork(): void {
    if (this.#stopping) return;
    const worker = cluster.fork();
    // Listens at once because a process that cannot be created fails before the event "fork".
    worker.on("error", (error) => this.#onError(worker, error));
    worker.once("listening", ({ port }) => {
      this.#attempts = 0;
      this.#hasListened = true;
      this.#listening.set(worker, performance.now());
      // A Unix socket has no port.
      this.#begun.resolve(Math.max(port ?? 0, 0));
    });
  }

  /** Handles errors of messages to a dying worker, and of a worker without a process, which has no event "exit". */
  #onError(worker: Worker, error: Error): void {
    if (worker.process.pid !== undefined) {
      this.#logUnreachable(worker, error);
      return;
    }
    delete cluster.workers![worker.id];
    this.#reasons.set(worker, `a worker cannot be started: ${error.message}`);
    this.#replace(worker, 1, null);
  }

  async #replace(worker: Worker, code: number, signal: string | null): Promise<void> {
    if (this.#stopping) return;
    const why = this.#reasons.get(worker);
    const reason = new UserError(
      why ?? `a worker exited before it listened, with ${signal ?? `code ${code}`}`,
    );
    // Gives up because the cause, such as a port in use, would stop the next worker, too.
    if (!this.#hasListened) return this.#begun.reject(reason);
    const wait = this.#nextWait(worker);
    this.#logger.error(
      { worker: worker.id, code, signal, why, wait_ms: wait },
      "worker exited, starting a replacement",
    );
    // Keeps a partial cluster running while another worker serves.
    if (this.#attempts >= MAX_FAILED_STARTS && this.#serving.length === 0)
      return this.#failed.resolve(reason);
    await sleep(wait);
    this.#fork();
  }

  /** Returns the delay before the replacement starts. */
  #nextWait(worker: Worker): number {
    const since = this.#listening.get(worker);
    if (since === undefined) this.#attempts++;
    else if (performance.now() - since > STABLE_MS) this.#wait = BACK_OFF_MS.first;
    const wait = Math.min(this.#wait, since === undefined ? BACK_OFF_MS.unheard : BACK_OFF_MS.listened);
    this.#wait = Math.min(wait * 2, BACK_OFF_MS.unheard);
    return wait;
  }
}
