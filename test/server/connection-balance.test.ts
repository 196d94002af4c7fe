/** Kept-alive connections move to the workers that have fewer, and no request is lost by it. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { dial } from "../../promises/connection.ts";
import { ask } from "../../promises/life.ts";
import { connectionsOf, withServer } from "../../promises/server.ts";
import { BusyConnections, surplusOf } from "../../src/server/connection-balance.ts";
import type { Running } from "../support/process.ts";
import { FASTER, SPEED, startProcess } from "../support/process.ts";

describe("surplusOf", () => {
  it.each([
    ["nothing to balance", [], []],
    ["one worker", [8], [0]],
    ["idle workers", [0, 0], [0, 0]],
    ["one connection too many", [5, 3], [0, 0]],
    ["two too many", [6, 2], [2, 0]],
    ["all on one of two", [8, 0], [4, 0]],
    ["all on one of four", [0, 16, 0, 0], [0, 12, 0, 0]],
    ["an eighth too many", [36, 28], [0, 0]],
    ["more than an eighth", [37, 27], [5, 0]],
    ["a mean that is not whole", [4, 1, 0], [2, 0, 0]],
  ])("%s: %j gives away %j", (_title, counts, surplus) => {
    expect(surplusOf(counts)).toEqual(surplus);
  });

  it("leaves no worker with more than its share and one or an eighth, for 1 to 9 workers with up to 100 connections", () => {
    for (let workers = 1; workers < 10; workers++)
      for (let round = 0; round < 200; round++) {
        const counts = Array.from({ length: workers }, (_, at) => (round * 7919 * (at + 3)) % 101);
        const share = Math.ceil(counts.reduce((sum, count) => sum + count, 0) / workers);
        const surplus = surplusOf(counts);
        for (const [at, count] of counts.entries()) {
          expect(count - surplus[at]!).toBeLessThanOrEqual(share + Math.max(1, share / 8));
          if (surplus[at]! > 0) expect(count - surplus[at]!).toBe(share);
        }
      }
  });
});

describe("busy connections", () => {
  const connect = () => ({ socket: { destroyed: false }, isResponding: false, hasPipelined: false });
  type Client = ReturnType<typeof connect>;
  /** Sends a request; returns whether its client must reconnect. */
  function send(busy: BusyConnections, client: Client): boolean {
    const moves = busy.begin(client);
    client.hasPipelined ||= client.isResponding;
    client.isResponding = true;
    return moves;
  }
  function exchange(busy: BusyConnections, client: Client): boolean {
    const moves = send(busy, client);
    client.isResponding = false;
    return moves;
  }

  it("are those with a request in the interval, or a running one, that are still open", () => {
    const busy = new BusyConnections();
    const [once, often, gone, long] = [connect(), connect(), connect(), connect()];
    for (const client of [once, often, often, gone]) exchange(busy, client);
    send(busy, long);
    gone.socket.destroyed = true;
    expect(busy.next()).toBe(3);
    exchange(busy, often);
    expect(busy.next()).toBe(2);
    long.isResponding = false;
    expect([busy.next(), busy.next()]).toEqual([1, 0]);
  });

  it("give away as many as asked within the interval, none that is new or pipelines", () => {
    const busy = new BusyConnections();
    const clients = Array.from({ length: 4 }, connect);
    const pipelining = connect();
    for (const client of clients) exchange(busy, client);
    send(busy, pipelining);
    exchange(busy, pipelining);
    busy.next();
    busy.giveAway(2);
    expect(exchange(busy, connect())).toBe(false);
    expect(exchange(busy, pipelining)).toBe(false);
    expect(clients.map((client) => exchange(busy, client))).toEqual([true, true, false, false]);
    expect(busy.next()).toBe(4);
    busy.giveAway(2);
    busy.next();
    expect(clients.map((client) => exchange(busy, client))).toEqual([false, false, false, false]);
  });
});

const BODY = '{"input":[[0,0]],"target":[1]}';
const REQUEST = `POST /v1/cross_entropy HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;

/** A client on one kept-alive connection, which opens another only when a response says so. */
class Client {
  right = 0;
  lost = 0;
  isOver = false;
  readonly #port: number;
  /** Milliseconds between a response and the next request. */
  readonly #pause: number;

  constructor(port: number, pause: number) {
    this.#port = port;
    this.#pause = pause;
  }

  async run(): Promise<void> {
    while (!this.isOver) {
      const socket = connect(this.#port, "127.0.0.1")
        .setEncoding("latin1")
        .on("error", () => {});
      onTestFinished(() => void socket.destroy());
      socket.write(REQUEST);
      if (!(await this.#converse(socket))) this.lost++;
    }
  }

  /** Sends requests until a response is the last one of its connection. False if the connection ends before. */
  async #converse(socket: Socket): Promise<boolean> {
    for await (const text of socket) {
      if (!text.startsWith("HTTP/1.1 200") || !text.includes('"loss":0.6931472')) return false;
      this.right++;
      if (this.isOver || /^connection: close\r$/im.test(text)) return true;
      await sleep(this.#pause);
      socket.write(REQUEST);
    }
    return false;
  }
}

/** Starts workers, and opens busy connections while all but one of them are stopped. */
async function skewed(workers: number, connections: number, pause = 0) {
  const running: Running = await startProcess({
    ...FASTER,
    WORKERS: String(workers),
    DRAIN_LAG_MS: "0",
  });
  await expect.poll(running.pids).toHaveLength(workers);
  const { pids, port } = running;
  const [, ...others] = pids();
  for (const pid of others) process.kill(pid, "SIGSTOP");
  const clients = Array.from({ length: connections }, () => new Client(port, pause));
  const over = Promise.all(clients.map((client) => client.run()));
  const spread = () => pids().map((pid) => connectionsOf(pid, port));
  await expect.poll(spread).toEqual([connections, ...others.map(() => 0)]);
  for (const pid of others) process.kill(pid, "SIGCONT");
  const stop = async (): Promise<void> => {
    for (const client of clients) client.isOver = true;
    await over;
  };
  return { ...running, clients, spread, stop };
}

it.each([
  [2, 8, 0],
  [2, 64, 0],
  [4, 16, 0],
  [2, 8, 100],
])(
  "%d workers, the first with all %d connections, share them evenly, with %d ms between requests",
  async (workers, connections, pause) => {
    const { clients, spread, stop } = await skewed(workers, connections, pause);
    const share = connections / workers;
    const isEven = (): boolean => {
      const counts = spread();
      // Closed connections are missing while their clients reconnect.
      const isWhole = counts.reduce((sum, count) => sum + count, 0) === connections;
      return isWhole && Math.max(...counts) <= share + Math.max(1, share / 8);
    };
    await expect.poll(isEven, { timeout: 50_000, interval: 200 }).toBe(true);
    await stop();
    expect(clients.reduce((sum, { lost }) => sum + lost, 0)).toBe(0);
    expect(Math.min(...clients.map(({ right }) => right))).toBeGreaterThan(0);
  },
  60_000,
);

it(
  "keeps the connections of workers without free descriptors, because their clients could not reconnect",
  () =>
    withServer(
      { WORKERS: "2" },
      async ({ child, port, url }) => {
        const workers = () =>
          readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").map(Number);
        await expect.poll(workers).toHaveLength(2);
        await sleep(1000);
        const [first, second] = workers();
        process.kill(second!, "SIGSTOP");
        const tally = ask(url, 8, true);
        await expect.poll(() => connectionsOf(first!, port)).toBeGreaterThanOrEqual(8);
        process.kill(second!, "SIGCONT");
        const idle = await Promise.all(Array.from({ length: 300 }, () => dial(port)));
        // The server closes idle ones without headers after 5 s.
        await sleep(4500);
        const { right, lost, wrong } = await tally.stop();
        for (const { socket } of idle) socket.destroy();
        expect([lost, wrong]).toEqual([0, 0]);
        expect(right).toBeGreaterThan(100);
      },
      { files: 80 },
    ),
  30_000,
);

it("closes no idle connection, and none of a balanced cluster", async () => {
  const { port, pids } = await startProcess({ ...FASTER, WORKERS: "2", DRAIN_LAG_MS: "0" });
  await expect.poll(pids).toHaveLength(2);
  process.kill(pids()[1]!, "SIGSTOP");
  const idle = Array.from({ length: 16 }, () => connect(port, "127.0.0.1"));
  onTestFinished(() => {
    for (const socket of idle) socket.destroy();
  });
  for (const socket of idle) {
    socket.write(REQUEST);
    await once(socket, "data");
  }
  process.kill(pids()[1]!, "SIGCONT");
  await sleep(6000 / SPEED);
  expect(idle.filter(({ destroyed, readableEnded }) => destroyed || readableEnded)).toEqual([]);
}, 30_000);
