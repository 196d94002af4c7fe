/** Copies of this checkout, and `npm start` in them, as a person runs it. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { setModes } from "../../build/swap.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Milliseconds for a start that builds, where other processes keep both cores busy. */
const START_LIMIT_MS = 240_000;

/** What npm start needs of a clone. */
const SOURCES = /^(?:src|playground|docs|reference|build|LICENSE|package.*\.json|tsconfig.*\.json|.*\.md)$/;

/** A copy of the sources, as a clone under umask 077 has them, with this checkout's kernels, whose compilation takes four times as long as all else. The caller removes its folder. */
export function copyCheckout(): string {
  const folder = mkdtempSync(join(tmpdir(), "lossd-checkout-"));
  for (const name of readdirSync(ROOT).filter((name) => SOURCES.test(name)))
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  for (const name of ["src", "playground"])
    for (const entry of readdirSync(join(folder, name), { recursive: true, withFileTypes: true }))
      chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
  linkPackages(folder);
  return folder;
}

/** A copy that every user can read. The caller removes its folder. */
export function copyReadable(): string {
  const folder = copyCheckout();
  rmSync(join(folder, "node_modules"), { recursive: true });
  rmSync(join(folder, "bin"), { recursive: true });
  setModes(folder, []);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Every package but node, which only brings a runtime: this test's Node stands in for a person's own. */
function linkPackages(folder: string): void {
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, ".bin"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules")))
    if (name !== "node" && name !== ".bin")
      symlinkSync(join(ROOT, "node_modules", name), join(packages, name));
  for (const name of readdirSync(join(ROOT, "node_modules/.bin")))
    if (name !== "node") symlinkSync(join(ROOT, "node_modules/.bin", name), join(packages, ".bin", name));
  mkdirSync(join(folder, "bin"));
  symlinkSync(process.execPath, join(folder, "bin/node"));
}

export interface Started {
  readonly child: ChildProcess;
  /** Milliseconds from the command to the first answer of readiness. */
  readonly startMs: number;
  /** What it has written to both outputs so far. */
  output(): string;
  /** Sends a signal to npm, or to all processes of its group, and waits for the end of every one of them. */
  stop(signal?: NodeJS.Signals, to?: "npm" | "group"): Promise<void>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** `npm start` in a folder, as the leader of a process group, which is killed when the test is over. */
export function spawnStart(folder: string, { env = {}, args = [] }: StartOptions = {}): ChildProcess {
  const npm = ["-c", 'umask 077; exec npm start -- "$@"', "sh", ...args];
  const child = spawn("sh", npm, {
    cwd: folder,
    env: { PATH: `${join(folder, "bin")}:${process.env.PATH}`, HOME: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  onTestFinished(() => {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // All of them have ended.
    }
  });
  return child;
}

/** What a child writes to both outputs. */
export function outputOf(child: ChildProcess): () => string {
  let output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  return () => output;
}

/** Starts it on a port, and waits until it is ready. Rejects with its output where it ends before. */
export async function npmStart(
  folder: string,
  port: string,
  { env, args }: StartOptions = {},
): Promise<Started> {
  const begin = performance.now();
  const child = spawnStart(folder, {
    env: { PORT: port, WORKERS: "1", DRAIN_LAG_MS: "0", ...env },
    args: args ?? [],
  });
  const output = outputOf(child);
  const url = `http://127.0.0.1:${port}/health/ready`;
  while ((await fetch(url).catch(() => undefined))?.status !== 200) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`npm start ended:\n${output()}`);
    if (performance.now() - begin > START_LIMIT_MS) {
      process.kill(-child.pid!, "SIGKILL");
      throw new Error(`npm start does not answer:\n${output()}`);
    }
    await sleep(20);
  }
  const startMs = performance.now() - begin;
  return { child, startMs, output, stop: (signal = "SIGTERM", to = "npm") => stop(child, signal, to) };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals, to: "npm" | "group"): Promise<void> {
  process.kill(to === "npm" ? child.pid! : -child.pid!, signal);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (!(await groupEnds(child.pid!))) throw new Error(`${signal} to ${to}: a process is left behind`);
}

/** Whether a process group has no process any more, after at most 20 seconds. */
export async function groupEnds(group: number): Promise<boolean> {
  for (let left = 400; left > 0; left--) {
    try {
      process.kill(-group, 0);
    } catch {
      return true;
    }
    await sleep(50);
  }
  process.kill(-group, "SIGKILL");
  return false;
}

/** Removes a copy. */
export function removeCheckout(folder: string): void {
  if (basename(folder).startsWith("lossd-checkout-")) rmSync(folder, { recursive: true, force: true });
}
