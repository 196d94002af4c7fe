/** Clients that leave in the middle: their work stops and their memory comes back. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { useService } from "../service.ts";

const service = useService();

/** Sends the head of a request for `length` bytes, then `body`, and leaves once `when` resolves. */
async function leaveAfter(length: number, body: string, when: () => Promise<unknown>): Promise<void> {
  const socket = connect(Number(new URL(service().url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  socket.write(
    `POST /v1/log_softmax HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`,
  );
  socket.write(body);
  await when();
  socket.destroy();
}

const reserved = () => service().arena.reserved;

it("a client that leaves in the middle of its body has its memory returned", async () => {
  await leaveAfter(1_000_000, '{"input":[1,2,3', () => expect.poll(reserved).toBeGreaterThan(4_000_000));
  await expect.poll(reserved).toBe(0);
});

it("a client that leaves while its answer is computed or written has its memory returned", async () => {
  const body = `{"dim":0,"input":[${"1,".repeat(2_000_000)}1]}`;
  for (const wait of [0, 5, 20]) {
    await leaveAfter(body.length, body, async () => {
      await expect.poll(reserved).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, wait));
    });
    await expect.poll(reserved, { timeout: 5000 }).toBe(0);
  }
  const answer = await service().post("/v1/log_softmax", { input: [0], dim: 0 });
  expect(answer.json).toEqual({ output: [0] });
});

it("a client that stops reading holds up its own answer only, in constant memory", async () => {
  const body = `{"dim":0,"input":[${"1,".repeat(1_000_000)}1]}`;
  const socket = connect(Number(new URL(service().url).port), "127.0.0.1");
  socket.pause();
  socket.write(
    `POST /v1/log_softmax HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await expect.poll(reserved).toBeGreaterThan(0);
  for (let at = 0; at < 20; at++) {
    const answer = await service().post("/v1/log_softmax", { input: [0], dim: 0 });
    expect(answer.status).toBe(200);
  }
  expect(reserved()).toBeGreaterThan(0);
  socket.destroy();
  await expect.poll(reserved).toBe(0);
});
