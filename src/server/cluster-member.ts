/** Worker's side of the cluster: messages, joining, leaving. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import type { Registry } from "prom-client";
import type { AcceptedTokens, Tokens } from "../http/server/auth.ts";
import { fromText } from "../http/server/auth.ts";
import { Problem } from "../problems.ts";
import type { Counts } from "./cluster-metrics.ts";
import type { BusyConnections } from "./connection-balance.ts";
import { HEARTBEAT_MS } from "./heartbeats.ts";

/** Messages between a worker and the primary. A reply has the name of its request. */
export type Message =
  | { readonly lossd: "alive"; readonly busy?: number | undefined }
  | { readonly lossd: "surplus"; readonly connections: number }
  | { readonly lossd: "stop" }
  | { readonly lossd: "failed"; readonly why: string }
  | { readonly lossd: "tokens"; readonly digests?: readonly string[] }
  | { readonly lossd: "count" }
  | { readonly lossd: "counts"; readonly counts: Counts }
  | { readonly lossd: "page"; readonly page?: string };

/** Connects this worker to its cluster. Undefined if there is none. */
export function joinCluster(): ClusterMember | undefined {
  return cluster.worker === undefined ? undefined : new ClusterMember(cluster.worker);
}

/** Reports a failed start to the primary and disconnects. Returns false if there is no cluster. */
export function failInCluster(why: string): boolean {
  const { worker } = cluster;
  worker?.send({ lossd: "failed", why } satisfies Message, () => worker.disconnect());
  return worker !== undefined;
}

/** Whether this process can accept a connection. Without a free descriptor, libuv closes a new one at once. */
function hasFreeDescriptor(): boolean {
  try {
    closeSync(openSync(devNull, "r"));
    return true;
  } catch {
    return false;
  }
}

/** Timeout for the metrics page, longer than one silent worker can delay it. */
const PAGE_TIMEOUT_MS = 5000;

export class ClusterMember implements AcceptedTokens {
  readonly #worker: Worker;
  readonly #heartbeat: NodeJS.Timeout;
  /** Pending page, shared by all callers. */
  #page: PromiseWithResolvers<string> | undefined;
  #registry: Registry | undefined;
  /** Undefined before the server listens. */
  #busy: BusyConnections | undefined;
  #tokens: Tokens = [];
  readonly #received = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();

  constructor(worker: Worker) {
    this.#worker = worker;
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
    worker.on("message", (message: Message) => {
      if (message.lossd === "stop") this.#stopped.resolve();
      if (message.lossd === "tokens") this.#accept(message.digests ?? []);
      if (message.lossd === "surplus" && hasFreeDescriptor()) this.#busy?.giveAway(message.connections);
      if (message.lossd === "count") this.#count();
      if (message.lossd === "page") this.#page?.resolve(message.page ?? "");
    });
  }

  /** Resolves when the cluster stops, also if that happened before the call. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  get tokens(): Tokens {
    return this.#tokens;
  }

  /** Requests the digests of the accepted tokens. The primary sends later ones without a request. */
  loadTokens(): Promise<void> {
    this.#send({ lossd: "tokens" });
    return this.#received.promise;
  }

  /** Includes `busy` in the balance of the cluster from now on. */
  balance(busy: BusyConnections): void {
    this.#busy = busy;
  }

  /** Includes `registry` in the cluster's metrics from now on. */
  share(registry: Registry): void {
    this.#registry = registry;
  }

  /** Requests the metrics of all workers. Rejects with `overloaded` after {@link PAGE_TIMEOUT_MS}. */
  page(): Promise<string> {
    if (this.#page !== undefined) return this.#page.promise;
    const page = Promise.withResolvers<string>();
    this.#page = page;
    const timer = setTimeout(() => {
      page.reject(new Problem("overloaded", "the cluster does not respond now"));
    }, PAGE_TIMEOUT_MS);
    this.#send({ lossd: "page" });
    return page.promise.finally(() => {
      clearTimeout(timer);
      this.#page = undefined;
    });
  }

  /** Disconnects, so that the channel does not keep the process alive. */
  leave(): void {
    clearInterval(this.#heartbeat);
    this.#worker.disconnect();
  }

  #beat(): void {
    const busy = this.#busy?.next();
    this.#send({ lossd: "alive", busy: hasFreeDescriptor() ? busy : undefined });
  }

  #accept(digests: readonly string[]): void {
    this.#tokens = fromText(digests);
    this.#received.resolve();
  }

  async #count(): Promise<void> {
    if (this.#registry === undefined) return;
    try {
      this.#send({ lossd: "counts", counts: await this.#registry.getMetricsAsJSON() });
    } catch (_error) {
      // Stays silent, because the primary logs a worker without a reply.
    }
  }

  /** Ignores send errors because this process ends with its primary. */
  #send(message: Message): void {
    this.#worker.send(message, () => {});
  }
}
