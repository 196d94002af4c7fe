/** Memory that slow clients hold, when others need it. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { compressedRow, tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";
import { dial, head, post, statusesOf } from "../../support/socket.ts";

const MiB = 1024 * 1024;
const NAN_BYTE = 0xff;

// Each request below takes most of the memory. Fills what a request takes with NaN, which no answer may contain.
const service = useService({
  memoryBudget: 64 * MiB,
  bodyLimit: 10 * MiB,
  onTake: ({ u8 }, start, end) => u8.fill(NAN_BYTE, start, end),
});

const json = (path: string, length: number) => head(`/v1/${path}`, length);

const HUGE = 9 * MiB;
const COUNT = 1_900_000;
const ones = `{"dim":0,"input":[${"1,".repeat(COUNT - 1)}1]}`;

/** Posts a large request until it is accepted, and checks its numbers. */
async function computeLarge(): Promise<void> {
  await expect
    .poll(async () => (await service().post("/v1/log_softmax", ones)).status, { interval: 100 })
    .toBe(200);
  const { json } = await service().post("/v1/log_softmax", ones);
  expect(json.output).toHaveLength(COUNT);
  expect(json.output[0]).toBeCloseTo(-Math.log(COUNT), 5);
  expect(new Set(json.output).size).toBe(1);
}

/** Waits until slow requests hold so much memory that a large one does not fit. */
async function memoryIsHeld(): Promise<void> {
  await expect.poll(() => service().arena.reserved).toBeGreaterThan(34 * MiB);
}

describe("a request that needs the memory of one whose client is slow", () => {
  it("ends a JSON body with 408", async () => {
    const slow = await dial(service());
    slow.socket.write(`${json("log_softmax", HUGE)}{"dim":0,"input":[1,`);
    await memoryIsHeld();
    const trickle = setInterval(() => slow.socket.write("1,"), 50);
    await computeLarge();
    clearInterval(trickle);
    expect(slow.text()).toMatch(/^HTTP\/1.1 408/);
    expect(slow.text()).toContain("other requests need the memory for which this body is too slow");
  });

  it("ends a safetensors body with 408", async () => {
    const file = writeTestFile({ input: tensor("float64", [1024, 1100], () => 0) });
    const slow = await Promise.all(Array.from({ length: 4 }, () => dial(service())));
    for (const { socket } of slow) {
      socket.write(
        head("/v1/log_softmax?dim=1", file.length, "content-type: application/vnd.safetensors\r\n"),
      );
      socket.write(file.subarray(0, file.length - 8 * 1100));
    }
    await memoryIsHeld();
    await computeLarge();
    const ended = slow.filter(({ text }) => text() !== "");
    expect(ended.length).toBeGreaterThan(0);
    for (const { text } of ended) expect(text()).toMatch(/^HTTP\/1.1 408/);
  });

  it("closes a response that its client does not read", async () => {
    const slow = await dial(service());
    slow.socket.pause();
    const body = `{"dim":0,"input":[${"1,".repeat(4_500_000)}1]}`;
    slow.socket.write(json("log_softmax", body.length) + body);
    await memoryIsHeld();
    await computeLarge();
    slow.socket.resume();
    await slow.closed;
    expect(slow.text()).toMatch(/^HTTP\/1.1 200/);
    expect(slow.text()).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(slow.text()).not.toContain("NaN");
  });

  it("chooses the slowest for its memory, and leaves small ones", async () => {
    const small = await dial(service());
    const body = '{"input":[[1,2]],"target":[1]}';
    small.socket.write(json("cross_entropy", body.length) + body.slice(0, -1));
    const slow = await dial(service());
    slow.socket.write(`${json("log_softmax", HUGE)}{"dim":0,"input":[1,`);
    await memoryIsHeld();
    await computeLarge();
    expect(slow.text()).toMatch(/^HTTP\/1.1 408/);
    small.socket.write(body.slice(-1));
    await expect.poll(small.text).toMatch(/^HTTP\/1.1 200/);
  });
});

it("a request waits for one whose client is fast enough", async () => {
  const steady = await dial(service());
  const body = `{"dim":0,"input":[${"1,".repeat(4_500_000)}1]}`;
  steady.socket.write(json("log_softmax", body.length) + body.slice(0, 1000));
  await expect.poll(() => service().arena.reserved).toBeGreaterThan(34 * MiB);
  const other = computeLarge();
  // At most 5 MB a second.
  for (let sent = 1000; sent < body.length; sent += 500_000) {
    steady.socket.write(body.slice(sent, sent + 500_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await expect.poll(() => steady.text().length).toBeGreaterThan(0);
  expect(steady.text()).toMatch(/^HTTP\/1.1 200/);
  await other;
});

describe("a large request that waits in vain for memory", () => {
  const impatient = useService({ memoryBudget: 64 * MiB, bodyLimit: 10 * MiB, waitLimit: 200 });

  it("gets its 503 although it writes its body first, and the connection serves the next request", async () => {
    const holder = await dial(impatient());
    holder.socket.write(`${json("log_softmax", HUGE)}{`);
    await expect.poll(() => impatient().arena.reserved).toBeGreaterThan(32 * MiB);
    const client = await dial(impatient());
    // The head arrives alone, so the server waits for the first byte of the body.
    client.socket.write(json("log_softmax", HUGE));
    await sleep(50);
    client.socket.write(`{"dim":0,"input":[${"1,".repeat((HUGE - 20) / 2)}1]}`.padEnd(HUGE).slice(0, HUGE));
    await expect.poll(() => statusesOf(client.text())).toEqual([503]);
    client.socket.write(post("/v1/cross_entropy", '{"input":[[0,0]],"target":[1]}'));
    await expect.poll(() => statusesOf(client.text())).toEqual([503, 200]);
  });
});

describe("a compressed file whose rows are computed while its client is slow", () => {
  const MEMORY = 128 * MiB;
  const shared = useService({ memoryBudget: MEMORY, bodyLimit: 60 * MiB });
  const CLASSES = 4_000_000;
  const NUMBERS = 6_500_000;

  it("does not compute in memory that another request has by then", async () => {
    const first = compressedRow(CLASSES);
    const slow = await dial(shared());
    const headers = "content-type: application/vnd.safetensors\r\ncontent-encoding: deflate\r\n";
    slow.socket.write(head("/v1/log_softmax?dim=1&top_k=1000000", 2 * first.length, headers));
    const PARTS = 55;
    const size = Math.ceil(first.length / PARTS);
    for (let at = 0; at < first.length - size; at += size) {
      slow.socket.write(first.subarray(at, at + size));
      await sleep(50);
    }
    const sent = size * Math.floor((first.length - 1) / size);
    await sleep(700);
    slow.socket.write(first.subarray(sent));
    await sleep(30);
    const body = `{"dim":0,"format":"flat","input":[${"1,".repeat(NUMBERS - 1)}1]}`;
    const { status, json } = await shared().post("/v1/log_softmax", body);
    expect(status).toBe(200);
    expect(new Set(json.output.data).size).toBe(1);
    expect(json.output.data[0]).toBeCloseTo(-Math.log(NUMBERS), 3);
  });
});
