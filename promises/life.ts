/** Promises about processes that stop, crash or block. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { dial, head } from "./connection.ts";
import { drive, rows } from "./load.ts";
import type { Promised, Proof } from "./promise.ts";
import type { Server } from "./server.ts";
import { connectionsOf, probe, SMALL, waitFor, withServer } from "./server.ts";

const CE = "/v1/cross_entropy";
const RIGHT = '{"loss":0.6931472,"total_weight":1}';

export interface Tally {
  readonly stop: () => Promise<{ right: number; lost: number; wrong: number }>;
}

/** Sends small requests until `stop()`, each on its own connection unless `keep` reuses connections. */
export function ask(url: string, connections: number, keep = false): Tally {
  const dispatcher = new Agent({ connections, pipelining: Number(keep) });
  const counts = { right: 0, lost: 0, wrong: 0 };
  let isOver = false;
  const one = async (): Promise<void> => {
    while (!isOver) {
      try {
        const response = await request(url + CE, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: SMALL,
          dispatcher,
        });
        if ((await response.body.text()) === RIGHT) counts.right++;
        else counts.wrong++;
      } catch {
        counts.lost++;
        await sleep(5);
      }
    }
  };
  const all = Promise.all(Array.from({ length: connections }, one));
  return {
    stop: async () => {
      isOver = true;
      await all;
      return counts;
    },
  };
}

/** The worker processes of a cluster. */
async function workersOf({ child }: Server): Promise<number[]> {
  const text = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

export const LIFE: readonly Promised[] = [
  {
    id: "R6",
    text: "a worker of the cluster killed every 500 ms for 10 s while another serves: only its own requests in flight are lost, no response is wrong, full strength within 1 s",
    prove: () =>
      withServer({ WORKERS: "2" }, async (server) => {
        await waitFor(async () => (await workersOf(server)).length === 2, 5000);
        await sleep(1000);
        const tally = ask(server.url, 8);
        let deaths = 0;
        const end = performance.now() + 10_000;
        while (performance.now() < end) {
          await sleep(500);
          const [, victim] = await workersOf(server);
          if (victim !== undefined) {
            process.kill(victim, "SIGKILL");
            deaths++;
          }
        }
        const full = await waitFor(async () => (await workersOf(server)).length === 2, 6000);
        const { right, lost, wrong } = await tally.stop();
        return {
          value: `${right} right, ${lost} lost in ${deaths} deaths, ${wrong} wrong, full strength in ${full?.toFixed(0)} ms`,
          holds: wrong === 0 && lost <= 8 * deaths && full !== undefined && full <= 1000,
        };
      }),
  },
  {
    id: "R7",
    isCheap: true,
    text: "SIGTERM under load while the balancer's list lags 1 s: 0 accepted requests lost",
    prove: () =>
      withServer({ WORKERS: "2", DRAIN_LAG_MS: "1500" }, async ({ child, url }) => {
        const tally = ask(url, 8);
        await sleep(1500);
        child.kill("SIGTERM");
        await sleep(1000);
        const { right, lost, wrong } = await tally.stop();
        const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
        return {
          value: `${lost} lost of ${right + lost}, exit ${code}`,
          holds: lost === 0 && wrong === 0 && code === 0,
        };
      }),
  },
  {
    id: "R36",
    text: "twelve clients with a connection for each request, until the listener closes after DRAIN_LAG_MS, alone and beside 16 clients with 64x1000 logits: no accepted connection is reset",
    prove: async () => {
      const totals = { answered: 0, refused: 0, reset: 0 };
      const heavy = rows(64).replace(/\}$/, ',"return_grad":true}');
      for (let stop = 0; stop < 6; stop++) {
        const counts = await withServer({ DRAIN_LAG_MS: "500" }, async ({ child, port, url }) => {
          if (stop >= 3) drive(url, heavy, 16, 5000).catch(() => {});
          const clients = Array.from({ length: 12 }, () => askUntilRefused(port));
          await sleep(500);
          child.kill("SIGTERM");
          return Promise.all(clients);
        });
        for (const { answered, refused, reset } of counts) {
          totals.answered += answered;
          totals.refused += refused;
          totals.reset += reset;
        }
      }
      const { answered, refused, reset } = totals;
      return {
        value: `${answered} answered, ${reset} reset, then ${refused} refused, in six stops`,
        holds: reset === 0 && refused === 72 && answered > 1000,
      };
    },
  },
  {
    id: "R8",
    text: "SIGTERM with a trickling client: exit within DRAIN_LIMIT_MS and 0.5 s",
    prove: () =>
      withServer({ DRAIN_LIMIT_MS: "3000" }, async ({ child, port }) => {
        const line = await dial(port);
        line.socket.write(`${head(CE, 10_000)}{"input":[`);
        const trickle = setInterval(() => line.socket.write("1,"), 50);
        await sleep(200);
        const start = performance.now();
        child.kill("SIGTERM");
        const [code] = await once(child, "exit");
        clearInterval(trickle);
        const seconds = (performance.now() - start) / 1000;
        return {
          value: `exit ${code} after ${seconds.toFixed(2)} s of 3`,
          holds: code === 0 && seconds <= 3.5,
        };
      }),
  },
  {
    id: "R26",
    text: "unread standard output, or on a full device: no request waits or is lost, memory grows by 16 MiB or less in the 6 s after the first dropped line, exit within 2 s after SIGTERM",
    prove: async () => {
      const proofs = [await proveSink("unread", undefined), await proveSink("full", "/dev/full")];
      return {
        value: proofs.map(({ value }) => value).join("; "),
        holds: proofs.every(({ holds }) => holds),
      };
    },
  },
  {
    id: "R31",
    isCheap: true,
    text: "exhausted descriptors (80, and 200 connections): open connections are served, further ones closed at once, and new ones served again within 1 s after some are freed",
    prove: () =>
      withServer(
        {},
        async ({ url, port }) => {
          const tally = ask(url, 4, true);
          await sleep(500);
          const idle = await Promise.all(Array.from({ length: 200 }, () => dial(port)));
          await sleep(2000);
          const closed = idle.filter(({ socket }) => socket.destroyed || socket.readableEnded).length;
          const { right, lost, wrong } = await tally.stop();
          for (const { socket } of idle) socket.destroy();
          const back = await waitFor(() => probe(url).then(Boolean, () => false), 1000);
          return {
            value: `${closed} closed; ${right} completed, ${lost} lost; back after ${back?.toFixed(0) ?? "over 1000"} ms`,
            holds: closed > 100 && right > 100 && lost === 0 && wrong === 0 && back !== undefined,
          };
        },
        { files: 80 },
      ),
  },
  {
    id: "R32",
    text: "8, 16 or 64 busy connections that all began at one of two workers: within 20 s no worker has more than its share and one connection or an eighth, 0 requests lost",
    prove: async () => {
      const proofs: Proof[] = [];
      for (const connections of [8, 16, 64]) proofs.push(await proveBalance(connections));
      return {
        value: proofs.map(({ value }) => value).join("; "),
        holds: proofs.every(({ holds }) => holds),
      };
    },
  },
];

/** Opens busy connections while one of two workers is stopped, then measures until both have their share. */
function proveBalance(connections: number): Promise<Proof> {
  return withServer({ WORKERS: "2" }, async (server) => {
    await waitFor(async () => (await workersOf(server)).length === 2, 5000);
    await sleep(1000);
    const workers = await workersOf(server);
    // The probe of readiness keeps a connection open.
    const idle = workers.map((pid) => connectionsOf(pid, server.port));
    process.kill(workers[1]!, "SIGSTOP");
    const tally = ask(server.url, connections, true);
    const spread = () => workers.map((pid, at) => connectionsOf(pid, server.port) - idle[at]!);
    await waitFor(() => spread()[0] === connections, 5000);
    const before = spread();
    process.kill(workers[1]!, "SIGCONT");
    const limit = connections / 2 + Math.max(1, connections / 16);
    const start = performance.now();
    let even = Number.POSITIVE_INFINITY;
    let now = 0;
    while (now < 25 && now < even + 3) {
      await sleep(100);
      now = (performance.now() - start) / 1000;
      const [most = 0, least = 0] = spread().toSorted((one, other) => other - one);
      // Closed connections are missing while their clients reconnect.
      const isEven = most <= limit && most + least === connections;
      even = isEven ? Math.min(even, now) : Number.POSITIVE_INFINITY;
    }
    const after = spread();
    const { right, lost, wrong } = await tally.stop();
    return {
      value: `${before.join("/")} became ${after.join("/")} after ${even.toFixed(1)} s, ${lost} lost of ${right + lost}`,
      holds: even <= 20 && lost + wrong === 0,
    };
  });
}

/** Sends one request after another, each on its own connection, until a connection is refused. */
async function askUntilRefused(port: number): Promise<{ answered: number; refused: number; reset: number }> {
  const counts = { answered: 0, refused: 0, reset: 0 };
  while (counts.refused === 0) counts[await askOnce(port)]++;
  return counts;
}

function askOnce(port: number): Promise<"answered" | "refused" | "reset"> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(head(CE, SMALL.length, "connection: close\r\n") + SMALL),
    );
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) =>
      resolve(code === "ECONNREFUSED" ? "refused" : "reset"),
    );
    socket.on("close", () => resolve(text.endsWith(RIGHT) ? "answered" : "reset"));
  });
}

/** Sends load, then SIGTERM, while standard output is blocked. */
function proveSink(name: string, stdout: string | undefined): Promise<Proof> {
  const work = async ({ child, url, memory, metric }: Server): Promise<Proof> => {
    child.stdout!.pause();
    const tally = ask(url, 8, true);
    const reason = stdout === undefined ? "buffer_full" : "write_error";
    const drops = () => metric(`lossd_log_lines_dropped_total\\{reason="${reason}"\\}`);
    await sleep(2000);
    await waitFor(async () => (await drops()) > 0, 30_000);
    const warm = memory().now;
    await sleep(6000);
    const grown = (memory().now - warm) / 2 ** 20;
    const { right, lost, wrong } = await tally.stop();
    const dropped = await drops();
    const start = performance.now();
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    const seconds = (performance.now() - start) / 1000;
    return {
      value: `${name}: ${right} completed, ${lost} lost, ${dropped} lines dropped, grew by ${grown.toFixed(1)} MiB, exit ${code} after ${seconds.toFixed(2)} s`,
      holds: right > 1000 && lost + wrong === 0 && dropped > 0 && grown <= 16 && code === 0 && seconds <= 2,
    };
  };
  return withServer({}, work, stdout === undefined ? {} : { stdout });
}
