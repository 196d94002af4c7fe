/** Promises about three replicas behind nginx on this machine; reports a missing nginx. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fixedEnvironment } from "../build/processes.ts";
import { ENGINE_FLAGS } from "../src/server/cluster.ts";
import { ask } from "./life.ts";
import { hasNginx, NO_NGINX, startNginx } from "./nginx.ts";
import type { Promised, Proof } from "./promise.ts";
import { waitFor } from "./server.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const FRONT = 18_080;
const PORTS = [18_081, 18_082, 18_083];

/** Retries a failed replica's requests on another, because computations have no side effects (docs/performance.md). */
const CONFIG = `
  upstream lossd {
    least_conn;
${PORTS.map((port) => `    server 127.0.0.1:${port} max_fails=1 fail_timeout=1s;`).join("\n")}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${FRONT};
    location / {
      proxy_pass http://lossd;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 1s;
      proxy_read_timeout 2s;
      proxy_next_upstream error timeout http_503 non_idempotent;
    }
  }`;

class Cluster {
  readonly replicas: ChildProcess[] = PORTS.map(startReplica);
  readonly #nginx = startNginx(CONFIG);

  async ready(): Promise<void> {
    for (const port of [...PORTS, FRONT])
      if ((await waitFor(() => isReady(port), 15_000)) === undefined)
        throw new Error(`no response on port ${port} after 15 s`);
  }

  /** Replaces a replica like a rolling restart: shuts the old one down, then starts a new one on its port. */
  async restart(at: number): Promise<void> {
    const old = this.replicas[at]!;
    old.kill("SIGTERM");
    await once(old, "exit");
    this.replicas[at] = startReplica(PORTS[at]!);
    await waitFor(() => isReady(PORTS[at]!), 15_000);
  }

  async close(): Promise<void> {
    for (const replica of this.replicas) replica.kill("SIGKILL");
    await this.#nginx.stop();
  }
}

function startReplica(port: number): ChildProcess {
  const env = fixedEnvironment({
    PORT: String(port),
    WORKERS: "1",
    LOG_LEVEL: "error",
    DRAIN_LAG_MS: "500",
  });
  return spawn(process.execPath, [...ENGINE_FLAGS, MAIN], { env, stdio: "ignore" });
}

async function isReady(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
  return response?.status === 200;
}

async function withCluster(work: (cluster: Cluster) => Promise<void>): Promise<Proof> {
  if (!hasNginx()) return { value: NO_NGINX, holds: undefined };
  const cluster = new Cluster();
  try {
    await cluster.ready();
    const tally = ask(`http://127.0.0.1:${FRONT}`, 8);
    await sleep(1000);
    await work(cluster);
    await sleep(1000);
    const { right, lost, wrong } = await tally.stop();
    return { value: `${right} right, ${lost + wrong} failed`, holds: right > 500 && lost + wrong === 0 };
  } finally {
    await cluster.close();
  }
}

export const REPLICAS: readonly Promised[] = [
  {
    id: "R27",
    text: "three replicas behind nginx, restarted one after another under load: 0 failed requests",
    prove: () =>
      withCluster(async (cluster) => {
        for (const at of PORTS.keys()) await cluster.restart(at);
      }),
  },
  {
    id: "R28",
    text: "three replicas behind nginx, one killed under load: 0 failed requests",
    prove: () =>
      withCluster(async ({ replicas }) => {
        replicas[0]!.kill("SIGKILL");
        await sleep(3000);
      }),
  },
  {
    id: "R29",
    text: "three replicas behind nginx, one stalled under load (SIGSTOP): 0 failed requests",
    prove: () =>
      withCluster(async ({ replicas }) => {
        replicas[0]!.kill("SIGSTOP");
        await sleep(5000);
        replicas[0]!.kill("SIGCONT");
      }),
  },
];
