/** Signals: during the start, more than one, and with connections that nobody closes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { ownPort, startProcess } from "../support/process.ts";
import { dial, post } from "../support/socket.ts";

const BODY = '{"input":[[0,0]],"target":[1]}';

/** A client that has sent half of a body; `finish` sends the rest. */
async function half(port: number, connection = "close"): Promise<{ text: () => string; finish: () => void }> {
  const { socket, text } = await dial(port);
  const request = post("/v1/cross_entropy", BODY, `connection: ${connection}\r\n`);
  socket.write(request.slice(0, -9));
  // Until a process has the connection.
  await sleep(200);
  return { text, finish: () => void socket.write(request.slice(-9)) };
}

/** Whether a process runs; one that nobody has buried does not. */
function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

it.each([1, 2])("SIGTERM ends one process during its start, from handler %s on", async (handler) => {
  // Sends it to itself as soon as somebody hears it.
  const preload = `let left = ${handler};
    process.on("newListener", (name) => {
      if (name === "SIGTERM" && --left === 0) process.kill(process.pid, "SIGTERM");
    });`;
  const child = spawn(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(preload)}`, "dist/main.js"],
    { env: { PATH: process.env.PATH, PORT: "0", WORKERS: "1", DRAIN_LAG_MS: "0" } },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  if (handler === 1) expect(text).not.toContain("listening");
});

it.each(
  ["SIGINT", "SIGQUIT", "SIGUSR2"].flatMap((signal) => ["1", "2"].map((count) => [signal, count] as const)),
)(
  "%s to the whole group, as a terminal sends it, drains like SIGTERM, with %s processes",
  async (signal, WORKERS) => {
    const { child, port, pids } = await startProcess({
      WORKERS,
      DRAIN_LAG_MS: "0",
      DRAIN_LIMIT_MS: "600000",
    });
    await expect.poll(() => pids().length).toBe(Number(WORKERS));
    const { text, finish } = await half(port);
    for (const pid of new Set([child.pid!, ...pids()])) process.kill(pid, signal);
    await sleep(300);
    expect(child.exitCode).toBe(null);
    const ended = once(child, "exit");
    finish();
    expect(await ended).toEqual([0, null]);
    expect(text()).toContain("HTTP/1.1 200");
  },
);

it.each(["1", "2"])("SIGTERM again changes nothing about the drain, with %s processes", async (WORKERS) => {
  const { child, port } = await startProcess({ WORKERS, DRAIN_LAG_MS: "0" });
  const { text, finish } = await half(port);
  for (let k = 0; k < 3; k++) {
    child.kill("SIGTERM");
    await sleep(100);
  }
  const ended = once(child, "exit");
  finish();
  expect(await ended).toEqual([0, null]);
  expect(text()).toContain("HTTP/1.1 200");
});

it.each(["1", "2"])(
  "a connection that is idle after its answer holds no end up, with %s processes",
  async (WORKERS) => {
    const { child, port } = await startProcess({ WORKERS, DRAIN_LAG_MS: "0", DRAIN_LIMIT_MS: "600000" });
    const { text, finish } = await half(port, "keep-alive");
    child.kill("SIGTERM");
    await sleep(300);
    const ended = once(child, "exit");
    finish();
    expect(await ended).toEqual([0, null]);
    expect(text()).toContain("HTTP/1.1 200");
  },
);

it.each(["1", "2"])("SIGINT again ends it at once, with %s processes", async (WORKERS) => {
  const { child, port, pids } = await startProcess({ WORKERS, DRAIN_LAG_MS: "0", DRAIN_LIMIT_MS: "600000" });
  const { text } = await half(port);
  child.kill("SIGINT");
  // What npm sends on at once, is the same one.
  await sleep(50);
  child.kill("SIGINT");
  await sleep(500);
  expect(child.exitCode).toBe(null);
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([130, null]);
  for (const pid of pids()) await expect.poll(() => runs(pid)).toBe(false);
  expect(text()).toBe("");
});

it.each(["1", "2"])(
  "connections of METRICS_PORT that stay open hold no end up, with %s processes",
  async (WORKERS) => {
    const METRICS_PORT = ownPort();
    const { child } = await startProcess({
      WORKERS,
      METRICS_PORT,
      DRAIN_LAG_MS: "0",
      DRAIN_LIMIT_MS: "1000",
    });
    await dial(Number(METRICS_PORT));
    const { socket: used } = await dial(Number(METRICS_PORT));
    used.write("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET /heal");
    await once(used, "data");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  },
);
