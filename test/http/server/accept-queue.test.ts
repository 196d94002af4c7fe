/** Connections that wait in the listener's queue when the server closes. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startService } from "../../support/service.ts";
import { dial, post, untilClosed } from "../../support/socket.ts";

const REQUEST = post("/v1/cross_entropy", '{"input":[[0,0]],"target":[1]}', "connection: close\r\n");

/** Blocks each turn of the event loop, and returns a function that ends it. */
function slowLoop(milliseconds: number): () => void {
  let next = setImmediate(function block() {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    next = setImmediate(block);
  });
  return () => clearImmediate(next);
}

// Fewer for slow turns, because a busy machine makes them slower still, and the queue is emptied for a second at most.
it.each([
  [30, 0],
  [15, 15],
])("%d get their responses, when a turn of the event loop takes %d ms", async (count, turn) => {
  const service = await startService();
  // Node accepts one connection in each turn of the event loop, so most wait when these have connected.
  const clients = await Promise.all(Array.from({ length: count }, () => dial(service)));
  for (const { socket } of clients) socket.write(REQUEST);
  const free = slowLoop(turn);
  await service.close();
  free();
  for (const client of clients) expect((await untilClosed(client)).slice(9, 12)).toBe("200");
});

it("do not hold up the server where clients connect without end", async () => {
  const service = await startService();
  let isOver = false;
  const connecting = (async () => {
    while (!isOver) {
      const client = await dial(service).catch(() => undefined);
      client?.socket.on("error", () => {}).destroy();
      await sleep(1);
    }
  })();
  await sleep(20);
  await service.close();
  isOver = true;
  await connecting;
  expect(service.server.listening).toBe(false);
});
