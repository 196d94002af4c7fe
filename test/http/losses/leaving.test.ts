/** Clients that leave in the middle: their work stops and their memory comes back. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, it, vi } from "vitest";
import type { Stage } from "../../../src/http/context.ts";
import { Timings } from "../../../src/http/context.ts";
import { useService } from "../../support/service.ts";
import { dial, head, post } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({ log: (line) => lines.push(...line.trim().split("\n")) });

/** Sends the head of a request for `length` bytes, then `body`, and leaves once `when` resolves. */
async function leaveAfter(
  length: number,
  body: string,
  when: (socket: Socket) => Promise<unknown>,
): Promise<void> {
  const { socket } = await dial(service());
  socket.write(head("/v1/log_softmax", length));
  const left = when(socket);
  socket.write(body);
  await left;
  socket.destroy();
}

const reserved = () => service().arena.reserved;

/** Resolves when a request enters a stage. */
function entered(stage: Stage): Promise<void> {
  const { enter } = Timings.prototype;
  return new Promise((resolve) => {
    const spy = vi.spyOn(Timings.prototype, "enter").mockImplementation(function (
      this: Timings,
      next: Stage,
    ) {
      enter.call(this, next);
      if (next !== stage) return;
      spy.mockRestore();
      resolve();
    });
  });
}

const ones = (count: number) => `{"dim":0,"input":[${"1,".repeat(count - 1)}1]}`;
const LARGE = ones(2_000_000);
/** Takes many turns of the event loop to compute. */
const SLOW = ones(8_000_000);

it("a client that leaves in the middle of its body has its memory returned", async () => {
  await leaveAfter(1_000_000, '{"input":[1,2,3', () => expect.poll(reserved).toBeGreaterThan(4_000_000));
  await expect.poll(reserved).toBe(0);
});

it.each<[string, (socket: Socket) => Promise<unknown>]>([
  ["is computed", () => entered("compute")],
  ["is encoded", () => entered("encode")],
  ["arrives", (socket) => once(socket, "data")],
])(
  "a client that leaves while its answer %s has its memory returned, and others are served",
  async (_title, when) => {
    await leaveAfter(LARGE.length, LARGE, when);
    await expect.poll(reserved).toBe(0);
    const answer = await service().post("/v1/log_softmax", { input: [0], dim: 0 });
    expect(answer.json).toEqual({ output: [0] });
  },
);

it("work stops between two slices where its client has left", async () => {
  const before = await count499();
  await leaveAfter(SLOW.length, SLOW, () => entered("compute"));
  await expect.poll(count499).toBe(before + 1);
});

/** Requests whose clients left before an answer began. */
async function count499(): Promise<number> {
  const { text } = await service().get("/metrics");
  return Number(/operation="log_softmax",status="499"} (\d+)/.exec(text)?.[1] ?? 0);
}

it("a client that stops reading holds up its own answer only, in constant memory", async () => {
  const body = `{"dim":0,"input":[${"1,".repeat(1_000_000)}1]}`;
  const { socket } = await dial(service());
  socket.pause();
  socket.write(post("/v1/log_softmax", body));
  await expect.poll(reserved).toBeGreaterThan(0);
  for (let at = 0; at < 20; at++) {
    const answer = await service().post("/v1/log_softmax", { input: [0], dim: 0 });
    expect(answer.status).toBe(200);
  }
  expect(reserved()).toBeGreaterThan(0);
  socket.destroy();
  await expect.poll(reserved).toBe(0);
});

it("a client that leaves while its compressed body is inflated is one that left, not an error", async () => {
  const before = await count499();
  const body = gzipSync('{"dim":0,"input":[1,2]}');
  for (let at = 0; at < 20; at++) {
    const { socket } = await dial(service());
    const begin = head("/v1/log_softmax", body.length).replace(
      "\r\n\r\n",
      "\r\ncontent-encoding: gzip\r\n\r\n",
    );
    socket.write(Buffer.concat([Buffer.from(begin), body]));
    socket.end();
  }
  await expect.poll(count499).toBe(before + 20);
  await expect.poll(reserved).toBe(0);
  expect(lines.filter((line) => JSON.parse(line).level > 30)).toEqual([]);
});
