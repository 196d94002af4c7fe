/** Starts a built server in its own process, and measures its latency. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fixedEnvironment, portOf } from "../build/processes.ts";
import { ENGINE_FLAGS } from "../src/server/cluster.ts";

/** The entry point of `npm start`. */
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
  /** The value of a metric without labels. */
  metric(name: string): Promise<number>;
  /** Current and peak resident memory of the process, in bytes. */
  memory(): { readonly now: number; readonly peak: number };
  /** CPU time of the process in seconds. */
  cpu(): number;
}

export interface Surroundings {
  /** Limit of open descriptors of the process. */
  readonly files?: number;
  /** File for its standard output; default: a pipe that is read here. */
  readonly stdout?: string;
}

/** Starts one process (WORKERS=1 unless `env` overrides it), runs `work` with it, and stops it. */
export async function withServer<Result>(
  env: Record<string, string>,
  work: (server: Server) => Promise<Result>,
  { files, stdout }: Surroundings = {},
): Promise<Result> {
  const limit = files === undefined ? "" : `ulimit -n ${files};`;
  const into = stdout === undefined ? "" : `> ${stdout}`;
  const PORT = stdout === undefined ? "0" : String(await freePort());
  const args = ["-c", `${limit} exec "$@" ${into}`, "sh", process.execPath, ...ENGINE_FLAGS, MAIN];
  const child = spawn("sh", args, {
    env: fixedEnvironment({ PORT, WORKERS: "1", DRAIN_LAG_MS: "0", ...env }),
    stdio: ["ignore", "pipe", stdout === undefined ? "pipe" : "inherit"],
  });
  try {
    const port = PORT === "0" ? await portOf(child) : Number(PORT);
    const server = serverAt(child, port);
    await waitFor(
      () =>
        fetch(`${server.url}/health/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      10_000,
    );
    return await work(server);
  } finally {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
}

/** A port that no process listens on now. */
export async function freePort(): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  holder.close();
  await once(holder, "close");
  return port;
}

function serverAt(child: ChildProcess, port: number): Server {
  const url = `http://127.0.0.1:${port}`;
  const status = (name: string): number => {
    const text = readFileSync(`/proc/${child.pid}/status`, "utf8");
    return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]) * 1024;
  };
  return {
    child,
    url,
    port,
    async metric(name) {
      const page = await (await fetch(`${url}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1]);
    },
    memory: () => ({ now: status("VmRSS"), peak: status("VmHWM") }),
    cpu() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
  };
}

/** Number of established TCP connections of a process on its port, from the tables of the kernel. */
export function connectionsOf(pid: number, port: number): number {
  const sockets = new Set<string>();
  for (const row of readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1)) {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/);
    const isOpen = state === "01" && Number.parseInt(local!.split(":")[1]!, 16) === port;
    if (isOpen) sockets.add(`socket:[${inode}]`);
  }
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((file) => {
    try {
      return sockets.has(readlinkSync(`${folder}/${file}`));
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

export const SMALL = '{"input":[[0,0]],"target":[1]}';

/** Latency of one small request in milliseconds. */
export async function probe(url: string): Promise<number> {
  const start = performance.now();
  const response = await fetch(`${url}/v1/cross_entropy`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: SMALL,
  });
  await response.text();
  if (response.status !== 200) throw new Error(`probe: ${response.status}`);
  return performance.now() - start;
}

/** Probes every 20 ms until `stop()`, which returns the sorted times. */
export function probing(url: string): () => Promise<number[]> {
  let isOver = false;
  const times: number[] = [];
  const run = (async () => {
    while (!isOver) {
      times.push(await probe(url).catch(() => Number.POSITIVE_INFINITY));
      await sleep(20);
    }
  })();
  return async () => {
    isOver = true;
    await run;
    return times.sort((a, b) => a - b);
  };
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Waits until `test` holds; returns the milliseconds, or undefined. */
export async function waitFor(
  test: () => Promise<boolean> | boolean,
  milliseconds: number,
): Promise<number | undefined> {
  const start = performance.now();
  while (performance.now() - start < milliseconds) {
    if (await test()) return performance.now() - start;
    await sleep(5);
  }
  return undefined;
}
