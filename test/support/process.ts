/** The built server as its users run it: a process that takes its settings from the environment and says where it listens. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly url: string;
  readonly port: number;
  /** The lines of its log so far. */
  readonly lines: readonly string[];
  /** The processes that listen. */
  pids(): number[];
  /** Sends SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

/** Ports that one process of tests has asked for. */
let ports = 0;

/** A port for a setting that cannot be 0: of this process of tests alone, and below those that the system hands out (from 32768 on). */
export function ownPort(): string {
  return String(20_000 + ((16 * process.pid + ports++) % 12_000));
}

const LISTENING = /listening at http:\/\/127\.0\.0\.1:(\d+)/;

/** Starts the server on a port that the system chooses, and kills it when the test is over. `flags` are Node's own, `args` the server's. */
export async function startProcess(
  env: Readonly<Record<string, string>>,
  {
    cwd,
    flags = [],
    args = [],
  }: { readonly cwd?: string; readonly flags?: readonly string[]; readonly args?: readonly string[] } = {},
): Promise<Running> {
  const child = spawn(process.execPath, [...flags, "dist/main.js", ...args], {
    cwd,
    env: { PATH: process.env.PATH, PORT: "0", ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      const found = LISTENING.exec(line);
      if (found !== null) resolve(Number(found[1]));
    });
    child.once("exit", (code) => reject(new Error(`exited with ${code}: ${errors}`)));
  });
  return {
    child,
    url: `http://127.0.0.1:${port}`,
    port,
    lines,
    pids: () => lines.filter((line) => LISTENING.test(line)).map((line) => JSON.parse(line).pid),
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      return code;
    },
  };
}
