/** What goes wrong in a group of processes: silent ones, dying ones, ones that cannot start, files that change meanwhile. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { expect, it, onTestFinished } from "vitest";
import { VERSION } from "../../src/version.ts";
import type { Running } from "../support/process.ts";
import { FASTER, ownPort, SPEED, startProcess } from "../support/process.ts";

/** Starts two processes, and waits until both listen. */
async function start(env: Record<string, string> = {}): Promise<Running> {
  const running = await startProcess({ WORKERS: "2", DRAIN_LAG_MS: "0", ...env });
  await expect.poll(running.pids).toHaveLength(2);
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

/** The lines of the log about deaths. */
const deaths = ({ lines }: Running) =>
  lines.filter((line) => line.includes("worker exited, starting")).map((line) => JSON.parse(line));

/** Kills the process that began to listen last, and waits for the one that takes its place. */
async function killLast({ pids }: Running): Promise<void> {
  const before = pids().length;
  process.kill(pids()[before - 1]!, "SIGKILL");
  await expect.poll(() => pids().length).toBe(before + 1);
}

it("workers that exit are counted, from 0, and the build is 1 for all processes", async () => {
  const running = await start();
  const page = async () => (await fetch(`${running.url}/metrics`)).text();
  const first = await page();
  expect(first).toContain("\nlossd_worker_exits_total 0\n");
  expect(first).toContain(`\nlossd_build_info{version="${VERSION}"} 1\n`);
  await killLast(running);
  await expect.poll(page).toContain("\nlossd_worker_exits_total 1\n");
  expect(deaths(running)).toHaveLength(1);
  expect(await running.stop()).toBe(0);
});

it("serves on while no worker can be started, and starts one when it can", async ({ skip }) => {
  skip(spawnSync("prlimit", ["--version"]).status !== 0, "there is no prlimit");
  const running = await start();
  const primary = running.child.pid!;
  const limit = (files: number) => {
    const { status, stderr } = spawnSync("prlimit", ["--pid", `${primary}`, `--nofile=${files}:1000`]);
    expect(status, String(stderr)).toBe(0);
  };
  limit(readdirSync(`/proc/${primary}/fd`).length);
  const failed = () => deaths(running).filter(({ why }) => /cannot be started: .*EMFILE/.test(why ?? ""));
  process.kill(running.pids()[0]!, "SIGKILL");
  await expect.poll(() => failed().length).toBeGreaterThan(1);
  expect(await ask(running.url, 4)).toEqual([200, 200, 200, 200]);
  limit(1000);
  await expect.poll(running.pids).toHaveLength(3);
  expect(running.errors()).toBe("");
  expect(await running.stop()).toBe(0);
}, 60_000);

it("a process that is silent holds the page of metrics up for a while, and stays in its sums", async () => {
  const METRICS_PORT = ownPort();
  const { url, pids, child } = await start({ ...FASTER, METRICS_PORT });
  const page = async () => (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text();
  await ask(url, 40);
  const sum = 'lossd_requests_total{operation="cross_entropy",status="200"} 40';
  await expect.poll(page).toContain(sum);
  process.kill(pids()[0]!, "SIGSTOP");
  onTestFinished(() => void process.kill(pids()[0]!, "SIGCONT"));
  for (const text of await Promise.all([page(), page(), page()])) expect(text).toContain(sum);
  // Long enough for what nobody waits for any more to come late, and be nobody's fault.
  await sleep(6000 / SPEED);
  expect(child.exitCode).toBe(null);
  expect(await ask(url, 4)).toEqual([200, 200, 200, 200]);
});

it("the sums of the metrics do not fall when a process dies", async () => {
  const METRICS_PORT = ownPort();
  const running = await start({ METRICS_PORT });
  const sum = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text();
    const [, count = "0"] =
      /^lossd_requests_total\{operation="cross_entropy",status="200"\} (\d+)$/m.exec(text) ?? [];
    return Number(count);
  };
  await ask(running.url, 40);
  await expect.poll(sum).toBe(40);
  await killLast(running);
  expect(await sum()).toBe(40);
  await ask(running.url, 10);
  await expect.poll(sum).toBe(50);
  await killLast(running);
  await killLast(running);
  expect(await sum()).toBe(50);
}, 30_000);

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

it("accepts the tokens of its start in every process, also in one that is started after the file has changed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lossd-tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "tokens");
  writeFileSync(file, "old\n");
  const running = await start({ TOKENS_FILE: file });
  writeFileSync(file, "new\n");
  await killLast(running);
  rmSync(file);
  await killLast(running);
  expect(new Set(await ask(running.url, 40, { authorization: "Bearer old" }))).toEqual(new Set([200]));
  expect(new Set(await ask(running.url, 40, { authorization: "Bearer new" }))).toEqual(new Set([401]));
});

it("waits longer for each process that dies soon after it has listened", async () => {
  const running = await start();
  for (let kill = 0; kill < 5; kill++) await killLast(running);
  expect(deaths(running).map((line) => line.wait_ms)).toEqual([50, 100, 200, 400, 400]);
}, 60_000);

it("says why its processes cannot start, waits longer each time, and ends with the reason when none is left", async () => {
  const running = await start({ ...FASTER, PORT: ownPort() });
  const { child, pids, port } = running;
  let errors = "";
  child.stderr.on("data", (text: string) => {
    errors += text;
  });
  for (const pid of pids()) process.kill(pid, "SIGKILL");
  // Takes the port before they do.
  const thief = createServer();
  onTestFinished(() => void thief.close());
  for (;;) {
    thief.listen(port, "127.0.0.1");
    const taken = await Promise.race([
      once(thief, "listening").then(() => true),
      once(thief, "error").then(() => false),
    ]).catch(() => false);
    if (taken) break;
    await sleep(1);
  }
  const [code] = await once(child, "exit");
  expect(code).toBe(1);
  expect(errors).toContain("the port is in use");
  const later = deaths(running).slice(2);
  for (const { why } of later) expect(why).toContain("the port is in use");
  const waits = later.map((line) => line.wait_ms);
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
  expect(waits.at(-1)).toBeGreaterThan(1000);
}, 60_000);
