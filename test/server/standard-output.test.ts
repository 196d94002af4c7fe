/** The log never decides whether the server answers or ends: standard output and error that are full, blocked or closed, with real processes. */
import type { ChildProcess, StdioOptions } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { ownPort } from "../support/process.ts";
import { dial, post } from "../support/socket.ts";

/** Processes, and requests whose lines overflow the buffer of each and a pipe of 64 KiB. */
const CASES = [
  ["1", 4000],
  ["2", 8000],
] as const;

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  /** The text of standard error so far. */
  errors(): string;
}

async function start(WORKERS: string, stdout: number | "pipe"): Promise<Started> {
  const PORT = ownPort();
  const { child, errors } = spawnServer({ PORT, WORKERS, DRAIN_LAG_MS: "0" }, ["ignore", stdout, "pipe"]);
  const url = `http://127.0.0.1:${PORT}`;
  const isReady = () =>
    fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await expect.poll(isReady).toBe(true);
  return { child, url, errors };
}

function spawnServer(env: Record<string, string>, stdio: StdioOptions, args: readonly string[] = []) {
  const child = spawn(process.execPath, ["dist/main.js", ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio,
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  return { child, errors: () => errors };
}

/** Its line in the log has 400 characters. */
const REQUEST = post(
  "/v1/cross_entropy",
  '{"input":[[0,0]],"target":[1]}',
  `x-request-id: ${"i".repeat(64)}\r\ntraceparent: 00-${"a".repeat(32)}-${"b".repeat(16)}-01\r\n`,
);

/** Sends `requests` on 8 connections, 50 at a time; all of them have to be answered. */
async function ask(url: string, requests: number): Promise<void> {
  const share = requests / 8;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { socket, text } = await dial({ url });
      for (let sent = 0; sent < share; ) {
        const next = Math.min(50, share - sent);
        socket.write(REQUEST.repeat(next));
        sent += next;
        while (text().split('{"loss":0.6931472,"total_weight":1}').length <= sent) await once(socket, "data");
      }
      socket.destroy();
    }),
  );
}

/** Counts on the page of metrics. */
async function counts(url: string): Promise<{ requests: number; bufferFull: number; dropped: number }> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const sum = (pattern: RegExp) => [...page.matchAll(pattern)].reduce((total, [, n]) => total + Number(n), 0);
  return {
    requests: sum(/^lossd_requests_total\{operation="cross_entropy".*\} (\d+)$/gm),
    bufferFull: sum(/^lossd_log_lines_dropped_total\{reason="buffer_full"\} (\d+)$/gm),
    dropped: sum(/^lossd_log_lines_dropped_total\{.*\} (\d+)$/gm),
  };
}

/** Sends SIGTERM; the exit code and the seconds that the end took. */
async function end(child: ChildProcess): Promise<{ code: number | null; seconds: number }> {
  const start = performance.now();
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  return { code, seconds: (performance.now() - start) / 1000 };
}

/** A pipe whose reading end is open and is not read: its descriptors for writing and for reading. */
function makePipe(): { readonly write: number; readonly read: number } {
  const folder = mkdtempSync(join(tmpdir(), "lossd-pipe-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  // Opened for both, a pipe does not wait for its other end.
  const both = openSync(path, "r+");
  const read = openSync(path, "r");
  const write = openSync(path, "w");
  closeSync(both);
  rmSync(folder, { recursive: true });
  return { write, read };
}

describe.each(CASES)("with WORKERS=%s, of %s requests", { timeout: 90_000 }, (WORKERS, requests) => {
  it("answers all with /dev/full as standard output, counts the lines, and ends within 2 s of SIGTERM with code 0", async () => {
    const full = openSync("/dev/full", "w");
    const { child, url, errors } = await start(WORKERS, full);
    closeSync(full);
    await ask(url, requests);
    await expect.poll(async () => (await counts(url)).dropped).toBeGreaterThanOrEqual(requests);
    const { code, seconds } = await end(child);
    expect(code).toBe(0);
    expect(seconds).toBeLessThan(2);
    expect(errors()).toBe("");
  });

  it("answers all with a pipe that is not read, drops lines, and ends within 2 s of SIGTERM with code 0", async () => {
    const { write, read } = makePipe();
    onTestFinished(() => closeSync(read));
    const { child, url } = await start(WORKERS, write);
    closeSync(write);
    await ask(url, requests);
    expect((await counts(url)).bufferFull).toBeGreaterThan(0);
    const { code, seconds } = await end(child);
    expect(code).toBe(0);
    expect(seconds).toBeLessThan(2);
  });

  it("answers and ends likewise with a socket that is not read, as a supervisor's", async () => {
    const { child, url } = await start(WORKERS, "pipe");
    await ask(url, requests);
    const { code, seconds } = await end(child);
    expect(code).toBe(0);
    expect(seconds).toBeLessThan(2);
  });

  it("answers with a pipe whose reader has gone (EPIPE), counts the lines, and ends with code 0", async () => {
    const { write, read } = makePipe();
    const { child, url, errors } = await start(WORKERS, write);
    closeSync(write);
    closeSync(read);
    await ask(url, 2000);
    await expect.poll(async () => (await counts(url)).dropped).toBeGreaterThanOrEqual(2000);
    expect((await end(child)).code).toBe(0);
    expect(errors()).toBe("");
  });

  it("writes whole lines to a pipe whose reader stops for a while: lines read and lines dropped are all lines", async () => {
    const { write, read } = makePipe();
    const { child, url } = await start(WORKERS, write);
    closeSync(write);
    await ask(url, requests);
    expect((await counts(url)).bufferFull).toBeGreaterThan(0);
    const text = readAll(read);
    await sleep(500);
    const last = await counts(url);
    await end(child);
    const lines = (await text)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ msg }) => msg === "request")).toHaveLength(last.requests - last.dropped);
    expect(lines.at(-1)).toMatchObject({ msg: "stopped" });
  });
});

/** All that comes until the last writer has gone. */
async function readAll(fd: number): Promise<string> {
  let text = "";
  for await (const chunk of createReadStream("", { fd, encoding: "utf8" })) text += chunk;
  return text;
}

it.each([
  ["a wrong flag", ["--no-such-flag"], 2],
  ["a wrong setting", ["--port", "70000"], 2],
  ["an address that this machine does not have", ["--host", "203.0.113.1", "--workers", "1"], 1],
])("ends with its code where standard error and output are full: %s", async (_name, args, expected) => {
  const full = openSync("/dev/full", "w");
  const { child } = spawnServer({}, ["ignore", full, full], args);
  closeSync(full);
  expect(await once(child, "exit")).toEqual([expected, null]);
});

it.each([["--help"], ["--version"]])("%s ends with one line where standard output is full", async (flag) => {
  const full = openSync("/dev/full", "w");
  const { child, errors } = spawnServer({}, ["ignore", full, "pipe"], [flag]);
  closeSync(full);
  expect(await once(child, "close")).toEqual([1, null]);
  expect(errors()).toBe("lossd: standard output: ENOSPC: no space left on device, write\n");
});

it("ends within 2 s where standard error and output are a full pipe, with the code of its failure", async () => {
  const { write, read } = makePipe();
  onTestFinished(() => closeSync(read));
  // Fills it.
  const { child: filler } = spawnServer({ N: "1" }, ["ignore", write, "ignore"], ["help"]);
  await once(filler, "exit");
  const args = ["--host", "203.0.113.1", "--workers", "1"];
  const { child } = spawnServer({}, ["ignore", write, write], args);
  closeSync(write);
  expect(await once(child, "exit")).toEqual([1, null]);
});
