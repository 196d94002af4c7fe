/** The built server as its users run it: a process that takes its settings from the environment and says where it listens. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { portOf } from "../../build/processes.ts";

export interface Spawned {
  readonly child: ChildProcessWithoutNullStreams;
  /** The lines of its log so far. */
  readonly lines: readonly string[];
  /** The text of standard error so far. */
  errors(): string;
  /** The processes that listen. */
  pids(): number[];
}

export interface Running extends Spawned {
  readonly url: string;
  readonly port: number;
  /** Sends SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

export interface SpawnOptions {
  readonly cwd?: string;
  /** Node's own. */
  readonly flags?: readonly string[];
  readonly args?: readonly string[];
}

/** Ports that one process of tests has asked for. */
let ports = 0;

/** A port for a setting that cannot be 0: of this process of tests alone, and below those that the system hands out (from 32768 on). */
export function ownPort(): string {
  return String(20_000 + ((16 * process.pid + ports++) % 12_000));
}

/** How many times faster the timers of FASTER are. */
export const SPEED = 4;

const FAST_TIMERS = `import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
const { setInterval: every, setTimeout: after } = globalThis;
const { setTimeout: sleep } = timers;
globalThis.setInterval = (run, ms, ...more) => every(run, ms / ${SPEED}, ...more);
globalThis.setTimeout = (run, ms, ...more) => after(run, ms / ${SPEED}, ...more);
timers.setTimeout = (ms, ...more) => sleep(ms / ${SPEED}, ...more);
syncBuiltinESMExports();`;

/** The environment of a server whose timers, and those of its workers, take a quarter of their time. */
export const FASTER = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(FAST_TIMERS)}`,
};

/** Spawns the server, and kills it when the test is over. */
export function spawnServer(
  env: Readonly<Record<string, string>>,
  { cwd, flags = [], args = [] }: SpawnOptions = {},
): Spawned {
  const child = spawn(process.execPath, [...flags, "dist/main.js", ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const pids = () =>
    lines.filter((line) => line.includes("Server listening at")).map((line) => JSON.parse(line).pid);
  return { child, lines, errors: () => errors, pids };
}

/** Starts the server on a port that the system chooses, and waits until it listens. */
export async function startProcess(
  env: Readonly<Record<string, string>>,
  options?: SpawnOptions,
): Promise<Running> {
  const spawned = spawnServer({ PORT: "0", ...env }, options);
  const { child } = spawned;
  const port = await portOf(child);
  return {
    ...spawned,
    url: `http://127.0.0.1:${port}`,
    port,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      return code;
    },
  };
}
