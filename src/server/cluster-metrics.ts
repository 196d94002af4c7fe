/** Aggregates the metrics of all workers into one page within the timeout of a scrape. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import type { Logger } from "pino";
import type { MetricObjectWithValues, MetricValue, Registry } from "prom-client";
import { AggregatorRegistry } from "prom-client";

/** Metrics of one worker. */
export type Counts = readonly MetricObjectWithValues<MetricValue<string>>[];

/** Timeout for one worker's metrics, shorter than the shortest scrape timeout of common collectors. */
const REPLY_TIMEOUT_MS = 2000;

/** Runs in the primary process. */
export class ClusterMetrics {
  readonly #logger: Logger;
  readonly #own: Registry;
  readonly #ask: (worker: Worker) => void;
  /**
   * Latest metrics of each worker until they are in `#exited`, used when it does not reply. Without them sums would fall,
   * and collectors would assume a restart.
   */
  readonly #latest = new Map<Worker, Counts>();
  /** Sums of the counters of workers that have exited. Without them counters would fall. */
  #exited: Counts = [];
  /** Resolves when the metrics of all exited workers are in `#exited`, which are added one after another. */
  #added: Promise<void> = Promise.resolve();
  readonly #pending = new Map<Worker, () => void>();
  #page: Promise<string> | undefined;

  /** `own` holds the metrics of this process. `ask` requests those of a worker. */
  constructor(logger: Logger, own: Registry, ask: (worker: Worker) => void) {
    this.#logger = logger;
    this.#own = own;
    this.#ask = ask;
    cluster.on("disconnect", (worker) => this.#pending.get(worker)?.());
    cluster.on("exit", (worker) => {
      this.#added = this.#added
        .then(() => this.#addExited(worker))
        .catch((error) => logger.error({ err: error }, "cannot aggregate the metrics of an exited worker"));
    });
  }

  /**
   * Builds the page, with the latest known metrics of silent workers. Concurrent callers share it, so that requests do
   * not pile up.
   */
  page(workers: readonly Worker[]): Promise<string> {
    this.#page ??= this.#collect(workers).finally(() => {
      this.#page = undefined;
    });
    return this.#page;
  }

  /** Stores the metrics of a worker, also after the timeout, but not after its exit, which has counted earlier ones. */
  take(worker: Worker, counts: Counts): void {
    if (!worker.isDead()) this.#latest.set(worker, counts);
    this.#pending.get(worker)?.();
  }

  async #collect(workers: readonly Worker[]): Promise<string> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, REPLY_TIMEOUT_MS);
    const replies = Promise.all(workers.map((worker) => this.#reply(worker)));
    await Promise.race([replies, late.promise]);
    clearTimeout(timer);
    for (const { id } of this.#pending.keys())
      this.#logger.warn({ worker: id }, "worker does not respond, using its latest metrics");
    this.#pending.clear();
    const own = await this.#own.getMetricsAsJSON();
    // Read in one turn of the event loop, so that a worker that exits meanwhile counts once.
    const all = [...this.#latest.values(), this.#exited, own];
    return AggregatorRegistry.aggregate(all as Counts[]).metrics();
  }

  /** Adds the counters of an exited worker. Its gauges end with it. */
  async #addExited(worker: Worker): Promise<void> {
    const counters = (this.#latest.get(worker) ?? []).filter(({ type }) => String(type) !== "gauge");
    this.#exited = await AggregatorRegistry.aggregate([
      this.#exited,
      counters,
    ] as Counts[]).getMetricsAsJSON();
    this.#latest.delete(worker);
  }

  #reply(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      this.#pending.set(worker, () => {
        this.#pending.delete(worker);
        resolve();
      });
      this.#ask(worker);
    });
  }
}
