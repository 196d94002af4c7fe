/** Generates load on a server: posts one body over a few persistent connections from core 1, with `wrk` if installed, otherwise undici. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fixedEnvironment } from "../build/processes.ts";
import type { Contender } from "./measure.ts";
import { isInstalled, LOAD_CORE, pinned } from "./server.ts";

const run = promisify(execFile);

/** Connections that keep a server busy. */
export const CONNECTIONS = 12;
/** Load generator. */
export const GENERATOR = isInstalled("wrk") ? "wrk" : "undici";

const WORKER = fileURLToPath(new URL("load-worker.ts", import.meta.url));

/** Time limit in milliseconds for a load process of `seconds`, including its start. */
const limitMs = (seconds: number): number => 60_000 + 2000 * seconds;

/** Request body, URL and number of connections. */
export interface Load {
  readonly url: string;
  readonly body: string | Buffer;
  readonly type: string;
  readonly connections: number;
}

/** Server as a contender, measured in milliseconds between two responses. */
export function httpContender(name: string, load: Load): Contender {
  return { name, measure: async (time) => 1000 / (await requestsPerSecond(load, time / 1000)) };
}

/** Measures responses a second, and fails for a status other than 2xx. `wrk` runs for whole seconds. */
export async function requestsPerSecond(load: Load, seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "lossd-bench-"));
  const file = join(folder, "body");
  writeFileSync(file, load.body);
  try {
    return await (GENERATOR === "wrk"
      ? runWrk(load, file, join(folder, "post.lua"), seconds)
      : runWorker(load, file, seconds));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runWrk(
  { url, type, connections }: Load,
  file: string,
  script: string,
  seconds: number,
): Promise<number> {
  writeFileSync(
    script,
    `wrk.method = "POST"
wrk.headers["content-type"] = "${type}"
wrk.body = io.open(${JSON.stringify(file)}, "rb"):read("*a")
`,
  );
  const duration = `${Math.max(1, Math.round(seconds))}s`;
  const options = ["wrk", "-t1", `-c${connections}`, `-d${duration}`, "--timeout", "30s", "-s", script, url];
  const [command, ...args] = pinned(LOAD_CORE, options);
  const { stdout } = await run(command!, args, { env: fixedEnvironment(), timeout: limitMs(seconds) });
  const found = /Requests\/sec:\s+([\d.]+)/.exec(stdout);
  if (found === null || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`${url}: ${stdout}`);
  return Number(found[1]);
}

async function runWorker({ url, type, connections }: Load, file: string, seconds: number): Promise<number> {
  const program = [process.execPath, WORKER, url, file, type, String(seconds), String(connections)];
  const [command, ...args] = pinned(LOAD_CORE, program);
  const { stdout } = await run(command!, args, { env: fixedEnvironment(), timeout: limitMs(seconds) });
  return Number(stdout);
}
