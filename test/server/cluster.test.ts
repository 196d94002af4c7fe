/** A group of processes: one port, one page of metrics, dead ones replaced, all drained together. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { expect, it, onTestFinished } from "vitest";
import type { Running } from "../support/process.ts";
import { ownPort, startProcess } from "../support/process.ts";

/** Starts two processes, and waits until both listen. */
async function start(env: Record<string, string>): Promise<Running> {
  const running = await startProcess({ WORKERS: "2", DRAIN_LAG_MS: "300", ...env });
  await expect.poll(running.pids).toHaveLength(2);
  return running;
}

const BODY = '{"input":[[0,0]],"target":[1]}';

/** One request on a connection of its own; "lost" where the connection ended without an answer. */
async function ask(url: string, dispatcher: Agent): Promise<string> {
  try {
    const answer = await request(`${url}/v1/cross_entropy`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: BODY,
      dispatcher,
    });
    return `${answer.statusCode} ${await answer.body.text()}`;
  } catch {
    return "lost";
  }
}

it("shares a port, and its page of metrics counts every process's requests", async () => {
  const { url, pids } = await start({});
  const dispatcher = new Agent({ pipelining: 0 });
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(url, dispatcher)));
  expect(new Set(answers)).toEqual(new Set(['200 {"loss":0.6931472,"total_weight":1}']));
  expect(new Set(pids()).size).toBe(2);
  await expect
    .poll(async () => (await (await fetch(`${url}/metrics`)).text()).split("\n"))
    .toContain('lossd_requests_total{operation="cross_entropy",status="200"} 40');
});

it("answers /v2/models/stats with the counts of every process, whichever is asked", async () => {
  const { url, pids } = await start({});
  const dispatcher = new Agent({ pipelining: 0 });
  const inputs = [{ name: "input", shape: [2], datatype: "FP32", data: [0, 0] }];
  const infer = async () => {
    const path = `${url}/v2/models/log_softmax/infer`;
    const answer = await request(path, { method: "POST", body: JSON.stringify({ inputs }), dispatcher });
    await answer.body.dump();
    return answer.statusCode;
  };
  const statuses = await Promise.all(Array.from({ length: 40 }, infer));
  expect(new Set(statuses)).toEqual(new Set([200]));
  const counts = async () => {
    const stats = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const answer = await request(`${url}/v2/models/log_softmax/stats`, { dispatcher });
        return (await answer.body.json()) as { model_stats: { inference_count: number }[] };
      }),
    );
    return [...new Set(stats.map(({ model_stats }) => model_stats[0]!.inference_count))];
  };
  await expect.poll(counts).toEqual([40]);
  expect(new Set(pids()).size).toBe(2);
});

it("with a process killed every 300 ms loses only what it had in flight, and replaces it within a second", async () => {
  const { url, pids } = await start({});
  const dispatcher = new Agent({ pipelining: 0, connections: 8 });
  let isOver = false;
  const counts = new Map<string, number>();
  const load = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const answer = await ask(url, dispatcher);
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
  });
  for (let kill = 0; kill < 3; kill++) {
    await sleep(300);
    const before = pids().length;
    process.kill(pids()[before - 1]!, "SIGKILL");
    await expect.poll(() => pids().length).toBe(before + 1);
  }
  isOver = true;
  await Promise.all(load);
  const lost = counts.get("lost") ?? 0;
  // Eight connections, three deaths.
  expect(lost).toBeLessThanOrEqual(24);
  counts.delete("lost");
  expect([...counts.keys()]).toEqual(['200 {"loss":0.6931472,"total_weight":1}']);
}, 30_000);

it("drains together on SIGTERM: every accepted request is answered, then it exits with 0", async () => {
  const { child, url } = await start({});
  const dispatcher = new Agent({ pipelining: 0, connections: 4 });
  let isOver = false;
  const answers: string[] = [];
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) answers.push(await ask(url, dispatcher));
  });
  await expect.poll(() => answers.length).toBeGreaterThan(20);
  child.kill("SIGTERM");
  // A balancer that has noticed sends no more.
  await sleep(200);
  isOver = true;
  await Promise.all(load);
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
  expect(new Set(answers)).toEqual(new Set(['200 {"loss":0.6931472,"total_weight":1}']));
}, 20_000);

it("ends on SIGTERM while its processes start, whether they can hear it or not", async () => {
  const { PATH } = process.env;
  for (const wait of [0, 50, 150]) {
    const child = spawn(process.execPath, ["dist/main.js"], { env: { PATH, PORT: "0", WORKERS: "2" } });
    onTestFinished(() => void child.kill("SIGKILL"));
    const children = () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
    await expect.poll(() => children().split(" "), { interval: 2 }).toHaveLength(2);
    await sleep(wait);
    const pids = children().split(" ");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
  }
}, 30_000);

it("has metrics and health on METRICS_PORT alone, where that is set", async () => {
  const port = ownPort();
  const { url } = await start({ METRICS_PORT: port });
  const admin = `http://127.0.0.1:${port}`;
  expect(await (await fetch(`${admin}/metrics`)).text()).toContain("lossd_memory_budget_bytes");
  expect((await fetch(`${admin}/health/ready`)).status).toBe(200);
  expect((await fetch(`${url}/metrics`)).status).toBe(404);
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
});

it.each(["1", "2"])(
  "with %s processes, /health/ready on METRICS_PORT is not 200 before somebody listens on PORT",
  async (WORKERS) => {
    const [port, admin] = [ownPort(), ownPort()];
    const env = { PATH: process.env.PATH, PORT: port, METRICS_PORT: admin, WORKERS };
    const child = spawn(process.execPath, ["dist/main.js"], { env });
    onTestFinished(() => void child.kill("SIGKILL"));
    const seen = new Set<number | "refused">();
    const ready = async (): Promise<number | "refused"> => {
      const status = await readyStatus(admin);
      seen.add(status);
      return status;
    };
    await expect.poll(ready, { interval: 1 }).toBe(200);
    expect(await readyStatus(port)).toBe(200);
    for (const status of seen) expect(["refused", 503, 200]).toContain(status);
  },
);

/** What a port says of readiness. */
async function readyStatus(port: string): Promise<number | "refused"> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health/ready`)).status;
  } catch {
    return "refused";
  }
}

it("every metric has the field's naming: a unit or _total, and help", async () => {
  const { url } = await start({});
  await ask(url, new Agent());
  const page = await (await fetch(`${url}/metrics`)).text();
  const names = [...page.matchAll(/^# TYPE (lossd_\w+) (\w+)$/gm)].map(
    ([, name, type]) => [name!, type!] as const,
  );
  expect(names.map(([name]) => name).sort()).toEqual([
    "lossd_backlog_seconds",
    "lossd_build_info",
    "lossd_elements_total",
    "lossd_inference_last_timestamp_seconds",
    "lossd_inference_requests_total",
    "lossd_inference_seconds_total",
    "lossd_log_lines_dropped_total",
    "lossd_memory_budget_bytes",
    "lossd_refusals_total",
    "lossd_request_bytes_total",
    "lossd_request_duration_seconds",
    "lossd_request_stage_seconds",
    "lossd_requests_in_flight",
    "lossd_requests_total",
    "lossd_reserved_bytes",
    "lossd_response_bytes_total",
    "lossd_responses_aborted_total",
    "lossd_worker_exits_total",
  ]);
  for (const [name, type] of names) {
    expect(name).toMatch(type === "counter" ? /_total$/ : /_(?:bytes|seconds|in_flight|info)$/);
    expect(page).toContain(`# HELP ${name} `);
  }
  const { dependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(Object.keys(dependencies)).toContain("prom-client");
});
