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
   * Latest metrics of each worker, used when it does not reply. Without them sums would fall, and collectors would
   * assume a restart.
   */
  readonly #last = new WeakMap<Worker, Counts>();
  /** Sums of workers that have exited. Without them counters would fall. */
  #gone: Counts = [];
  #leaving: Promise<void> = Promise.resolve();
  readonly #pending = new Map<Worker, () => void>();
  #page: Promise<string> | undefined;

  /** `own` holds the metrics of this process. `ask` requests those of a worker. */
  constructor(logger: Logger, own: Registry, ask: (worker: Worker) => void) {
    this.#logger = logger;
    this.#own = own;
    this.#ask = ask;
    cluster.on("disconnect", (worker) => this.#pending.get(worker)?.());
    cluster.on("exit", (worker) => {
      this.#leaving = this.#leaving
        .then(() => this.#keep(this.#last.get(worker) ?? []))
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

  /** Stores the metrics of a worker, also after the timeout. */
  take(worker: Worker, counts: Counts): void {
    this.#last.set(worker, counts);
    this.#pending.get(worker)?.();
  }

  async #collect(workers: readonly Worker[]): Promise<string> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, REPLY_TIMEOUT_MS);
    const all = Promise.all(workers.map((worker) => this.#reply(worker)));
    await Promise.race([all, late.promise]);
    clearTimeout(timer);
    for (const { id } of this.#pending.keys())
      this.#logger.warn({ worker: id }, "worker does not respond, using its latest metrics");
    this.#pending.clear();
    const known = workers.map((worker) => this.#last.get(worker)).filter((counts) => counts !== undefined);
    await this.#leaving;
    const own = await this.#own.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([...known, this.#gone, own] as Counts[]).metrics();
  }

  /** Keeps the counters of an exited worker. Its gauges end with it. */
  async #keep(counts: Counts): Promise<void> {
    const lasting = counts.filter(({ type }) => String(type) !== "gauge");
    this.#gone = await AggregatorRegistry.aggregate([this.#gone, lasting] as Counts[]).getMetricsAsJSON();
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
