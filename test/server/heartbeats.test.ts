/** Workers that run no more, such as stopped ones: killed and replaced, unless the primary was stopped, too. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { expect, it, onTestFinished } from "vitest";
import type { Running } from "../support/process.ts";
import { FASTER, ownPort, SPEED, startProcess } from "../support/process.ts";

/** Starts two workers, and waits until both listen. */
async function start(env: Record<string, string> = {}): Promise<Running> {
  const running = await startProcess({ ...FASTER, WORKERS: "2", DRAIN_LAG_MS: "0", ...env });
  await expect.poll(running.pids).toHaveLength(2);
  return running;
}

/** Stops a process, which may end before the test does. */
function freeze(pid: number): void {
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => {
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // It has ended.
    }
  });
}

/** The status of one request, or "lost" where its connection ended without a response. */
async function ask(url: string, dispatcher: Agent): Promise<number | "lost"> {
  try {
    const response = await request(`${url}/v1/cross_entropy`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"input":[[0,0]],"target":[1]}',
      dispatcher,
    });
    await response.body.dump();
    return response.statusCode;
  } catch {
    return "lost";
  }
}

const killsOf = ({ lines }: Running) =>
  lines.filter((line) => line.includes("worker is silent")).map((line) => JSON.parse(line));

it("kills a silent worker, which ends the requests that it held, logs one line and starts another", async () => {
  const running = await start();
  const { url, pids, lines } = running;
  const dispatcher = new Agent({ connections: 20, pipelining: 1 });
  onTestFinished(() => dispatcher.destroy());
  const all = () => Promise.all(Array.from({ length: 20 }, () => ask(url, dispatcher)));
  expect(new Set(await all())).toEqual(new Set([200]));
  // A worker that has some of the connections.
  const served = () => lines.findLast((line) => line.includes('"operation":"cross_entropy"'));
  await expect.poll(served).toBeDefined();
  const silent: number = JSON.parse(served()!).pid;
  freeze(silent);
  expect(new Set(await all())).toContain("lost");
  await expect.poll(pids, { timeout: 30_000 }).toHaveLength(3);
  expect(killsOf(running)).toMatchObject([{ worker_pid: silent, level: 50 }]);
  const repeated = lines.filter(
    (line) => (line.match(/"(?:level|time|pid|hostname|msg)":/g) ?? []).length > 5,
  );
  expect(repeated, "lines with a member twice").toEqual([]);
  expect(new Set(await all())).toEqual(new Set([200]));
}, 60_000);

it("is not ready while every worker is silent, and is again when they are replaced", async () => {
  const METRICS_PORT = ownPort();
  const { pids } = await start({ METRICS_PORT });
  const ready = async () => (await fetch(`http://127.0.0.1:${METRICS_PORT}/health/ready`)).status;
  expect(await ready()).toBe(200);
  for (const pid of pids()) freeze(pid);
  await expect.poll(ready, { timeout: 30_000 }).toBe(503);
  await expect.poll(ready, { timeout: 30_000 }).toBe(200);
}, 90_000);

it("kills none when the primary was stopped, too, longer than a worker may be silent", async () => {
  const running = await start();
  const { child, url, pids } = running;
  const all = [child.pid!, ...pids()];
  for (const pid of all) freeze(pid);
  await sleep(12_000 / SPEED);
  for (const pid of all) process.kill(pid, "SIGCONT");
  await sleep(3000 / SPEED);
  expect(await ask(url, new Agent())).toBe(200);
  expect(killsOf(running)).toEqual([]);
  expect(pids()).toHaveLength(2);
}, 90_000);

it("ends on SIGTERM in spite of a silent worker, long before DRAIN_LIMIT_MS", async () => {
  const { child, pids } = await start({ DRAIN_LIMIT_MS: "600000" });
  freeze(pids()[0]!);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
}, 60_000);
