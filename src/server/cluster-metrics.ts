/** The metrics of all processes of a group as one page: asked for, waited for no longer than a scrape can, added up. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import type { Logger } from "pino";
import type { MetricObjectWithValues, MetricValue, Registry } from "prom-client";
import { AggregatorRegistry } from "prom-client";

/** What one process has counted. */
export type Counts = readonly MetricObjectWithValues<MetricValue<string>>[];

/** Milliseconds for which a process may keep the others' page waiting: less than the least time that collectors give a scrape. */
const ANSWER_TIME = 2000;

/** In the process that starts the others. */
export class Gatherer {
  readonly #logger: Logger;
  readonly #own: Registry;
  readonly #ask: (worker: Worker) => void;
  /** What each process said last: without the counts of one that is silent, sums would fall, which collectors take for a restart. */
  readonly #last = new WeakMap<Worker, Counts>();
  /** What those that have ended had counted, as they said last: without it, sums would fall for good. */
  #gone: Counts = [];
  #leaving: Promise<void> = Promise.resolve();
  readonly #awaited = new Map<Worker, () => void>();
  #page: Promise<string> | undefined;

  /** `own` has the metrics of this process; `ask` sends the question to another. */
  constructor(logger: Logger, own: Registry, ask: (worker: Worker) => void) {
    this.#logger = logger;
    this.#own = own;
    this.#ask = ask;
    cluster.on("disconnect", (worker) => this.#awaited.get(worker)?.());
    cluster.on("exit", (worker) => {
      this.#leaving = this.#leaving
        .then(() => this.#keep(this.#last.get(worker) ?? []))
        .catch((error) => logger.error({ err: error }, "the counts of a process that died are lost"));
    });
  }

  /** The page, with what a silent process said last. Those who ask while it is made share it, so that no question piles up before a silent one. */
  page(workers: readonly Worker[]): Promise<string> {
    this.#page ??= this.#gather(workers).finally(() => {
      this.#page = undefined;
    });
    return this.#page;
  }

  /** Takes the answer of a process, also a late one. */
  take(worker: Worker, counts: Counts): void {
    this.#last.set(worker, counts);
    this.#awaited.get(worker)?.();
  }

  async #gather(workers: readonly Worker[]): Promise<string> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, ANSWER_TIME);
    const all = Promise.all(workers.map((worker) => this.#answered(worker)));
    await Promise.race([all, late.promise]);
    clearTimeout(timer);
    for (const { id } of this.#awaited.keys())
      this.#logger.warn({ worker: id }, "a process does not answer; the metrics have what it said last");
    this.#awaited.clear();
    const known = workers.map((worker) => this.#last.get(worker)).filter((counts) => counts !== undefined);
    await this.#leaving;
    const own = await this.#own.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([...known, this.#gone, own] as Counts[]).metrics();
  }

  /** Keeps the counts of a process that has ended; what it measured of itself ended with it. */
  async #keep(counts: Counts): Promise<void> {
    const lasting = counts.filter(({ type }) => String(type) !== "gauge");
    this.#gone = await AggregatorRegistry.aggregate([this.#gone, lasting] as Counts[]).getMetricsAsJSON();
  }

  #answered(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited.set(worker, () => {
        this.#awaited.delete(worker);
        resolve();
      });
      this.#ask(worker);
    });
  }
}
