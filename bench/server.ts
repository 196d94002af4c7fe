/** Starts servers under test in their own processes, pinned to core 0 if `taskset` exists. */
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fixedEnvironment } from "../build/processes.ts";
import { ENGINE_FLAGS } from "../src/server/cluster.ts";

/** Entry point of `npm start`. */
export const LOSSD = "../dist/main.js";
export const NAIVE = "peers/naive.ts";
export const BARE = "peers/bare.ts";
export const SINK = "peers/sink.ts";

const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const POLL_MS = 2;
const START_LIMIT_MS = 10_000;

export interface Server {
  readonly url: string;
  /** Milliseconds from the start of the process to its first response. */
  readonly startMs: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"]).error === undefined;
}

const canPin = isInstalled("taskset");

/** Pins a command to one core if the machine has `taskset`. */
export function pinned(core: number, command: readonly string[]): readonly string[] {
  return canPin ? ["taskset", "-c", String(core), ...command] : command;
}

/** Starts the Node program at a path relative to this folder, with default settings, and waits until it responds. */
export async function startServer(path: string, { onOneCore = true } = {}): Promise<Server> {
  const port = await freePort();
  const flags = path === LOSSD ? ENGINE_FLAGS : [];
  const program = [process.execPath, ...flags, fileURLToPath(new URL(path, import.meta.url))];
  const [command, ...args] = onOneCore ? pinned(SERVER_CORE, program) : program;
  const start = performance.now();
  const child = spawn(command!, args, {
    env: fixedEnvironment({ PORT: String(port), WORKERS: "1", DRAIN_LAG_MS: "0" }),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswer(child, `${url}/health/ready`);
  return { url, startMs: performance.now() - start, pid: child.pid!, stop: () => stop(child) };
}

async function untilAnswer(child: ChildProcess, url: string): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  while (!(await responds(url))) {
    if (child.exitCode !== null)
      throw new Error(`the server ended with code ${child.exitCode}: ${errors.split("\n", 1)[0]}`);
    if (performance.now() > limit) {
      child.kill("SIGKILL");
      throw new Error(`no response within ${START_LIMIT_MS} ms`);
    }
    await sleep(POLL_MS);
  }
}

/** Whether readiness returns 200, or 404 from a peer without that route. */
function responds(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 || response.statusCode === 404);
    }).on("error", () => resolve(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/** Finds a free port. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
