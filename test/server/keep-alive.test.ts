/** KEEP_ALIVE_S: connections that are idle, and requests that come as they close. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { ownPort, startProcess } from "../support/process.ts";
import type { Connection } from "../support/socket.ts";
import { dial, parseResponse, untilClosed } from "../support/socket.ts";

const REQUEST = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

/** Sends a request on a new or an idle connection; all that comes back, until a response is whole or the connection ends. */
async function ask({ socket, text }: Connection): Promise<string> {
  const before = text().length;
  const answer = () => text().slice(before);
  socket.write(REQUEST);
  while (!socket.closed && parseResponse(answer()) === undefined) await sleep(1);
  return answer();
}

it("KEEP_ALIVE_S=1 is announced, and an idle connection closes a second after that", async () => {
  const { port } = await startProcess({ WORKERS: "1", KEEP_ALIVE_S: "1", DRAIN_LAG_MS: "0" });
  const connection = await dial(port);
  expect(await ask(connection)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nKeep-Alive: timeout=1\r\n/);
  const start = performance.now();
  await untilClosed(connection);
  const seconds = (performance.now() - start) / 1000;
  expect(seconds).toBeGreaterThan(1.5);
  expect(seconds).toBeLessThan(4);
});

it("KEEP_ALIVE_S holds on METRICS_PORT, too; it is 72 by default and takes 700", async () => {
  const METRICS_PORT = ownPort();
  await startProcess({ WORKERS: "2", KEEP_ALIVE_S: "700", METRICS_PORT, DRAIN_LAG_MS: "0" });
  expect(await ask(await dial(Number(METRICS_PORT)))).toContain("\r\nKeep-Alive: timeout=700\r\n");
  const { port } = await startProcess({ WORKERS: "1", DRAIN_LAG_MS: "0" });
  expect(await ask(await dial(port))).toContain("\r\nKeep-Alive: timeout=72\r\n");
});

it("a request within the announced time is answered; one that meets the closing of its connection is answered whole or not at all", async () => {
  const { port } = await startProcess({ WORKERS: "1", KEEP_ALIVE_S: "1", DRAIN_LAG_MS: "0" });
  // From well within the second that is announced to well beyond the second one, at which connections close.
  const waits = Array.from({ length: 120 }, (_, at) => 500 + 20 * at);
  const answers = await Promise.all(
    waits.map(async (wait) => {
      const connection = await dial(port);
      await ask(connection);
      await sleep(wait);
      return { wait, text: await ask(connection) };
    }),
  );
  for (const { wait, text } of answers) {
    if (wait <= 1000) expect(text, `after ${wait} ms`).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    else expect(text, `after ${wait} ms`).toMatch(/^(?:HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n\{.*\})?$/);
  }
  const closed = answers.filter(({ text }) => text === "");
  expect(closed.length).toBeGreaterThan(0);
});
