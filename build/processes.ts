/** Processes that the build, the bench and the proofs start: each in an environment of its own, with a time limit, silent, and with errors of one line. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Milliseconds for one step of the build; on a machine with one slow core the longest takes one of these five minutes. */
const STEP_LIMIT_MS = 300_000;

/** Milliseconds until a server listens, where starting takes a third of a second. */
const START_LIMIT_MS = 60_000;

/** Milliseconds for a step that is late to end what it has started. */
const KILL_AFTER_MS = 1000;

/** Where the system's own programs need these, they are passed on; nothing else of the caller's environment is. */
const PASSED_ON = ["PATH", "TMPDIR"];

/** The environment of a process that is started here. The caller's LOG_LEVEL, proxies or collectors are not meant for it. */
export function fixedEnvironment(settings: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const passed = PASSED_ON.filter((name) => process.env[name] !== undefined);
  return { ...Object.fromEntries(passed.map((name) => [name, process.env[name]])), ...settings };
}

/** From here on, this process and those that inherit its environment reach this machine's servers without a proxy. */
export function bypassProxies(): void {
  for (const name of ["NO_PROXY", "no_proxy"]) process.env[name] = "127.0.0.1,localhost,::1";
}

/** Runs a Node program of the build to its end. Rejects with its name and all that it wrote, where it fails or takes too long. */
export async function runStep(name: string, args: readonly string[], limitMs = STEP_LIMIT_MS): Promise<void> {
  const child = spawn(process.execPath, args, {
    env: fixedEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  // Not SIGKILL, because a step that has started a server ends it first. To its group, because tsc is a script that starts the compiler.
  const end = (): void => killGroup(child.pid, "SIGTERM");
  // Before the handler that removes the step's output.
  process.prependOnceListener("exit", end);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    end();
    setTimeout(() => killGroup(child.pid, "SIGKILL"), KILL_AFTER_MS).unref();
  }, limitMs);
  const { promise, resolve, reject } = Promise.withResolvers<readonly [number | null, string | null]>();
  child.once("close", (code, signal) => resolve([code, signal])).once("error", reject);
  try {
    const [code, signal] = await promise;
    if (code === 0) return;
    const fault = isLate ? `is not done after ${limitMs} ms` : `ended with ${signal ?? `code ${code}`}`;
    throw new Error(`${name} ${fault}${output === "" ? "" : `:\n${output.trimEnd()}`}`);
  } finally {
    clearTimeout(limit);
    process.off("exit", end);
  }
}

/** Sends a signal to a process group, which may have ended. */
function killGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (leader !== undefined) process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * The port of a server of ours, once it listens. `child` needs pipes for its standard output and error, which are read to their ends. Rejects in
 * one line where it ends before, or does not listen within `limitMs` milliseconds, and kills it then.
 */
export function portOf(child: ChildProcess, limitMs = START_LIMIT_MS): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  createInterface(child.stdout!).on("line", (line) => {
    const found = /Server listening at http:\/\/[^"]+:(\d+)"/.exec(line);
    if (found !== null) resolve(Number(found[1]));
  });
  child.once("error", reject).once("close", (code, signal) => {
    const [line = ""] = errors.split("\n");
    reject(new Error(`the server ended with ${signal ?? `code ${code}`}${line && `: ${line}`}`));
  });
  const limit = setTimeout(() => {
    reject(new Error(`the server does not listen after ${limitMs} ms`));
    child.kill("SIGKILL");
  }, limitMs);
  return promise.finally(() => clearTimeout(limit));
}
