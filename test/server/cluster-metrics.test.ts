/** The metrics page of a cluster counts each worker once, also one that exits while the page is built. */
import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { Counter, Registry } from "prom-client";
import { expect, it, onTestFinished } from "vitest";
import type { Counts } from "../../src/server/cluster-metrics.ts";
import { ClusterMetrics } from "../../src/server/cluster-metrics.ts";

/** What the metrics need of a worker. */
class FakeWorker {
  hasExited = false;
  isDead(): boolean {
    return this.hasExited;
  }
}

/** The metrics of a worker that has counted one request. */
async function oneRequest(): Promise<Counts> {
  const registry = new Registry();
  new Counter({ name: "requests_total", help: "Requests.", registers: [registry] }).inc();
  return registry.getMetricsAsJSON();
}

const requestsIn = (page: string): number => Number(/^requests_total (\d+)$/m.exec(page)![1]);

/** Two workers with one request each, whose replies are given by hand. */
async function twoWorkers() {
  const [first, second] = [new FakeWorker(), new FakeWorker()] as unknown as [Worker, Worker];
  const metrics = new ClusterMetrics(pino({ level: "silent" }), new Registry(), () => {});
  onTestFinished(() => void cluster.removeAllListeners());
  const counts = await oneRequest();
  const exit = (worker: Worker): void => {
    (worker as unknown as FakeWorker).hasExited = true;
    cluster.emit("disconnect", worker);
    cluster.emit("exit", worker, 1, null);
  };
  const reply = (worker: Worker): void => metrics.take(worker, counts);
  return { first, second, exit, reply, page: (...workers: Worker[]) => metrics.page(workers) };
}

it("counts a worker once that replies and exits while another has not replied", async () => {
  const { first, second, exit, reply, page } = await twoWorkers();
  const text = page(first, second);
  reply(first);
  exit(first);
  await sleep(20);
  reply(second);
  expect(requestsIn(await text)).toBe(2);
  const next = page(second);
  reply(second);
  expect(requestsIn(await next)).toBe(2);
});

it("counts a worker once that exits right after the last reply", async () => {
  const { first, second, exit, reply, page } = await twoWorkers();
  const text = page(first, second);
  reply(first);
  reply(second);
  exit(first);
  expect(requestsIn(await text)).toBe(2);
});

it("counts a worker that has disconnected and not yet exited", async () => {
  const { first, second, reply, page } = await twoWorkers();
  const before = page(first, second);
  reply(first);
  reply(second);
  expect(requestsIn(await before)).toBe(2);
  cluster.emit("disconnect", first);
  const text = page(second);
  reply(second);
  expect(requestsIn(await text)).toBe(2);
});

it("ignores a reply that arrives after the exit", async () => {
  const { first, second, exit, reply, page } = await twoWorkers();
  const before = page(first, second);
  reply(first);
  exit(first);
  reply(first);
  reply(second);
  expect(requestsIn(await before)).toBe(2);
  reply(first);
  const text = page(second);
  reply(second);
  expect(requestsIn(await text)).toBe(2);
});
