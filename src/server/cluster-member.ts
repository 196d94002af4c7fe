/** A process of a group: what it and the group say to each other, and how it joins and leaves. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import type { Registry } from "prom-client";
import { Problem } from "../problems.ts";
import type { Counts } from "./cluster-metrics.ts";

/** What a process and the group say to each other: questions, and under the same name their answers. */
export type Message =
  | { readonly lossd: "stop" }
  | { readonly lossd: "failed"; readonly why: string }
  | { readonly lossd: "tokens"; readonly digests?: readonly string[] }
  | { readonly lossd: "count" }
  | { readonly lossd: "counts"; readonly counts: Counts }
  | { readonly lossd: "page"; readonly page?: string };

/** In a process of a group: how it hears of the others. Undefined where there is no group. */
export function joinGroup(): Membership | undefined {
  return cluster.worker === undefined ? undefined : new Membership(cluster.worker);
}

/** In a process of a group that cannot start: tells the group why, and leaves it. False where there is no group. */
export function failInGroup(why: string): boolean {
  const { worker } = cluster;
  worker?.send({ lossd: "failed", why } satisfies Message, () => worker.disconnect());
  return worker !== undefined;
}

/** Milliseconds for which the group's page is waited for: longer than a silent process holds it up. */
const PAGE_TIME = 5000;

export class Membership {
  readonly #worker: Worker;
  /** The page that is waited for; those who ask meanwhile share it. */
  #page: PromiseWithResolvers<string> | undefined;
  #registry: Registry | undefined;
  readonly #tokens = Promise.withResolvers<readonly string[]>();
  readonly #stopped = Promise.withResolvers<void>();

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (message: Message) => {
      if (message.lossd === "stop") this.#stopped.resolve();
      if (message.lossd === "tokens") this.#tokens.resolve(message.digests ?? []);
      if (message.lossd === "count") this.#count();
      if (message.lossd === "page") this.#page?.resolve(message.page ?? "");
    });
  }

  /** Settles when the group stops; it may have before this is asked for. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** The digests of the tokens that the group accepts. */
  tokens(): Promise<readonly string[]> {
    this.#say({ lossd: "tokens" });
    return this.#tokens.promise;
  }

  /** From now on, what `registry` counts is in the group's page. */
  share(registry: Registry): void {
    this.#registry = registry;
  }

  /** The metrics of the whole group. Refuses with `overloaded` where it does not answer. */
  page(): Promise<string> {
    if (this.#page !== undefined) return this.#page.promise;
    const page = Promise.withResolvers<string>();
    this.#page = page;
    const timer = setTimeout(() => {
      page.reject(new Problem("overloaded", "the group does not answer now"));
    }, PAGE_TIME);
    this.#say({ lossd: "page" });
    return page.promise.finally(() => {
      clearTimeout(timer);
      this.#page = undefined;
    });
  }

  /** Leaves the group, so that nothing keeps the process alive. */
  leave(): void {
    this.#worker.disconnect();
  }

  async #count(): Promise<void> {
    if (this.#registry === undefined) return;
    try {
      this.#say({ lossd: "counts", counts: await this.#registry.getMetricsAsJSON() });
    } catch (_error) {
      // A process that cannot count is silent, and the group says so in its log.
    }
  }

  /** A group that is gone hears nothing; then this process ends, too. */
  #say(message: Message): void {
    this.#worker.send(message, () => {});
  }
}
