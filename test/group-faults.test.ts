/** What goes wrong in a group of processes: silent ones, dying ones. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { expect, it, onTestFinished } from "vitest";
import type { Running } from "./process.ts";
import { startProcess } from "./process.ts";

/** Starts two processes, and waits until both listen. */
async function start(env: Record<string, string> = {}): Promise<Running> {
  const running = await startProcess({ WORKERS: "2", DRAIN_LAG_MS: "0", ...env });
  await expect.poll(running.pids, { timeout: 10_000 }).toHaveLength(2);
  return running;
}

/** The statuses of some requests, each on a connection of its own. */
async function ask(url: string, times: number, headers: Record<string, string> = {}): Promise<number[]> {
  const dispatcher = new Agent({ pipelining: 0 });
  const one = async (): Promise<number> => {
    const answer = await request(`${url}/v1/cross_entropy`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: '{"input":[[0,0]],"target":[1]}',
      dispatcher,
    });
    await answer.body.dump();
    return answer.statusCode;
  };
  return Promise.all(Array.from({ length: times }, one));
}

/** Kills the process that began to listen last, and waits for the one that takes its place. */
async function killLast({ pids }: Running): Promise<void> {
  const before = pids().length;
  process.kill(pids()[before - 1]!, "SIGKILL");
  await expect.poll(() => pids().length, { timeout: 10_000 }).toBe(before + 1);
}

const ownPort = (): string => String(20_000 + (process.pid % 20_000));

it("a process that is silent holds the page of metrics up for a while, and stays in its sums", async () => {
  const METRICS_PORT = ownPort();
  const { url, pids, child } = await start({ METRICS_PORT });
  const page = async () => (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text();
  await ask(url, 40);
  const sum = 'lossd_requests_total{operation="crossEntropy",status="200"} 40';
  await expect.poll(page).toContain(sum);
  process.kill(pids()[0]!, "SIGSTOP");
  onTestFinished(() => void process.kill(pids()[0]!, "SIGCONT"));
  for (const text of await Promise.all([page(), page(), page()])) expect(text).toContain(sum);
  // Long enough for what nobody waits for any more to come late, and be nobody's fault.
  await sleep(5000);
  expect(child.exitCode).toBe(null);
  expect(await ask(url, 4)).toEqual([200, 200, 200, 200]);
});

it("scrapes while its processes are killed end nothing", async () => {
  const METRICS_PORT = ownPort();
  const running = await start({ METRICS_PORT });
  let isOver = false;
  const statuses = new Set<number>();
  const scrapes = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const answer = await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`);
      await answer.text();
      statuses.add(answer.status);
    }
  });
  for (let kill = 0; kill < 6; kill++) await killLast(running);
  isOver = true;
  await Promise.all(scrapes);
  expect(running.child.exitCode).toBe(null);
  expect([...statuses]).toEqual([200]);
}, 60_000);
