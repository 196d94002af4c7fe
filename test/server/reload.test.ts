/** SIGHUP and SIGUSR1, which end nothing: the first reads TOKENS_FILE again, the second is ignored. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { Running } from "../support/process.ts";
import { ownPort, startProcess } from "../support/process.ts";

/** Starts a server, and waits until all of its processes listen. */
async function start(WORKERS: string, env: Record<string, string> = {}): Promise<Running> {
  const running = await startProcess({ WORKERS, DRAIN_LAG_MS: "0", ...env });
  await expect.poll(() => running.pids().length).toBe(Number(WORKERS));
  return running;
}

function tokensFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "lossd-tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "tokens");
  writeFileSync(file, text);
  return file;
}

/** The statuses of some requests with a token, each on a connection of its own, so that every worker has some. */
async function statuses(url: string, token: string): Promise<number[]> {
  const one = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, connection: "close" };
    const response = await fetch(`${url}/v2/models`, { headers });
    await response.text();
    return response.status;
  };
  return [...new Set(await Promise.all(Array.from({ length: 20 }, one)))];
}

const has = ({ lines }: Running, text: string) => lines.some((line) => line.includes(text));

it.each(["1", "2"])("SIGHUP reads TOKENS_FILE again, with %s processes", async (WORKERS) => {
  const file = tokensFile("old\nboth\n");
  const running = await start(WORKERS, { TOKENS_FILE: file });
  const { child, url } = running;
  expect(await statuses(url, "old")).toEqual([200]);
  writeFileSync(file, "new\nboth\n");
  expect(await statuses(url, "new")).toEqual([401]);
  child.kill("SIGHUP");
  await expect.poll(() => statuses(url, "new")).toEqual([200]);
  expect(await statuses(url, "old")).toEqual([401]);
  expect(await statuses(url, "both")).toEqual([200]);
  for (const [text, why] of [
    ["", "expected one token per line, got none"],
    ["a token\n", "line 1: expected a token alone"],
  ] as const) {
    writeFileSync(file, text);
    child.kill("SIGHUP");
    await expect.poll(() => has(running, why)).toBe(true);
    expect(await statuses(url, "new")).toEqual([200]);
    expect(await statuses(url, "old")).toEqual([401]);
  }
  // Nobody writes into the pipe.
  rmSync(file);
  spawnSync("mkfifo", [file]);
  child.kill("SIGHUP");
  await expect.poll(() => has(running, "expected a regular file")).toBe(true);
  expect(await statuses(url, "new")).toEqual([200]);
});

it("a worker that starts after SIGHUP accepts the tokens that were read then", async () => {
  const file = tokensFile("old\n");
  const running = await start("2", { TOKENS_FILE: file });
  const { child, url, pids } = running;
  writeFileSync(file, "new\n");
  child.kill("SIGHUP");
  await expect.poll(() => has(running, "read TOKENS_FILE again")).toBe(true);
  rmSync(file);
  for (const [at, pid] of pids().entries()) {
    process.kill(pid, "SIGKILL");
    await expect.poll(() => pids().length).toBe(3 + at);
  }
  expect(await statuses(url, "new")).toEqual([200]);
  expect(await statuses(url, "old")).toEqual([401]);
});

it.each(["1", "2"])(
  "SIGHUP without TOKENS_FILE, and SIGUSR1, end nothing and open no inspector, with %s processes",
  async (WORKERS) => {
    const running = await start(WORKERS);
    const { child, url, pids } = running;
    let errors = "";
    child.stderr.on("data", (text: string) => {
      errors += text;
    });
    const all = [...new Set([child.pid!, ...pids()])];
    for (const signal of ["SIGHUP", "SIGUSR1"]) for (const pid of all) process.kill(pid, signal);
    await expect.poll(() => has(running, "no TOKENS_FILE to read again")).toBe(true);
    await sleep(500);
    expect(errors).toBe("");
    expect(await statuses(url, "any")).toEqual([200]);
    expect(child.exitCode).toBe(null);
    expect(pids()).toHaveLength(Number(WORKERS));
  },
);

it.for(["1", "2"])("ends when its terminal closes, with %s processes", async (WORKERS, { skip }) => {
  if (spawnSync("script", ["--version"]).error !== undefined) return skip("script is not installed here");
  const port = ownPort();
  const command = `exec '${process.execPath}' dist/main.js`;
  const terminal = spawn("script", ["-qc", command, "/dev/null"], {
    env: { PATH: process.env.PATH, SHELL: "/bin/sh", PORT: port, WORKERS, DRAIN_LAG_MS: "0" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void terminal.kill("SIGKILL"));
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/health/ready`).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(ready).toBe(200);
  const children = readFileSync(`/proc/${terminal.pid}/task/${terminal.pid}/children`, "utf8");
  const server = children.trim().split(" ")[0]!;
  process.kill(Number(server), "SIGHUP");
  await sleep(300);
  expect(await ready()).toBe(200);
  terminal.kill("SIGKILL");
  await expect.poll(() => existsSync(`/proc/${server}`)).toBe(false);
  expect(await ready()).toBe(0);
});
