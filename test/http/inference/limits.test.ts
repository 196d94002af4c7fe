/** What an inference request may claim: no more memory than it brings bytes. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Answer } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import { dial, post, responseOf, statusesOf } from "../../support/socket.ts";

const MiB = 1024 * 1024;
const service = useService({ memoryBudget: 256 * MiB, bodyLimit: 4 * MiB });
const PATH = "/v2/models/log_softmax/infer";

/** The JSON of a request whose input is said to have these bytes. */
const claim = (shape: readonly number[], size: number): string =>
  JSON.stringify({
    inputs: [{ name: "input", shape, datatype: "FP32", parameters: { binary_data_size: size } }],
    parameters: { dim: 0 },
  });

const inferenceHeaders = (json: string): Record<string, string> => ({
  "inference-header-content-length": String(json.length),
});

/** The head of a request with this JSON, and in all so many bytes. */
const binaryHead = (json: string, length: number): string =>
  `POST ${PATH} HTTP/1.1\r\nhost: x\r\ninference-header-content-length: ${json.length}\r\ncontent-length: ${length}\r\n\r\n`;

async function* chunks(...parts: readonly string[]): AsyncGenerator<Buffer, void> {
  for (const part of parts) yield Buffer.from(part);
}

/** The most memory that is reserved until the answer is there. */
async function peakOf(answer: Promise<Answer>): Promise<{ peak: number; answer: Answer }> {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, service().arena.reserved);
  }, 1);
  const got = await answer;
  clearInterval(timer);
  return { peak, answer: got };
}

describe("bytes that are claimed but not there", () => {
  it.each([
    ["8 GB, more than there is", [2_000_000_000], 8_000_000_000],
    ["200 MB, most of what there is", [50_000_000], 200_000_000],
    ["a byte", [1], 4],
  ])("are refused with 400 before memory is taken: %s", async (_title, shape, size) => {
    const json = claim(shape, size);
    const { peak, answer } = await peakOf(service().send("POST", PATH, json, inferenceHeaders(json)));
    expect([answer.status, answer.json]).toEqual([
      400,
      { error: `the inputs claim ${size} bytes behind the JSON, the body has 0` },
    ]);
    expect(peak).toBeLessThan(MiB);
  });

  it("are refused while the client holds them back", async () => {
    const json = claim([50_000_000], 200_000_000);
    const connection = await dial(service());
    connection.socket.write(binaryHead(json, 3 * MiB) + json);
    expect((await responseOf(connection)).status).toBe(400);
    connection.socket.destroy();
    await expect.poll(() => service().arena.reserved).toBe(0);
  });

  it("are refused with 413 where a chunked body would be over the limit with them", async () => {
    const json = claim([2 * MiB], 8 * MiB);
    const answer = await service().send("POST", PATH, chunks(json), inferenceHeaders(json));
    expect([answer.status, Object.keys(answer.json)]).toEqual([413, ["error"]]);
  });

  it("are refused with 400 where a chunked body ends before them, or goes on behind them", async () => {
    const json = claim([2], 8);
    for (const [bytes, error] of [
      ["1234", "the inputs claim 8 bytes behind the JSON, the body has 4"],
      ["123456789", "the inputs claim 8 bytes behind the JSON, the body has more"],
    ] as const) {
      const answer = await service().send("POST", PATH, chunks(json, bytes), inferenceHeaders(json));
      expect([answer.status, answer.json]).toEqual([400, { error }]);
    }
    const whole = await service().send(
      "POST",
      PATH,
      chunks(json, "\0\0\0\0", "\0\0\0\0"),
      inferenceHeaders(json),
    );
    expect(whole.json.outputs[0].data).toEqual([-0.6931472, -0.6931472]);
  });
});

describe("a binary body of megabytes", () => {
  const shape = [750_000];
  const size = 3_000_000;

  it("whose request is refused passes unread, and its connection goes on", async () => {
    const json = claim(shape, size).replace('"dim":0', '"dim":7,"dims":0');
    const { socket, text } = await dial(service());
    socket.write(binaryHead(json, json.length + size) + json);
    socket.write(Buffer.alloc(size));
    socket.write("GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n");
    await expect.poll(text).toContain('{"live":true}');
    expect(statusesOf(text())).toEqual([422, 200]);
    expect(text()).toContain("/parameters/dims: unknown field");
  });

  it("of a client that leaves in its middle has its memory returned", async () => {
    const json = claim(shape, size);
    const { socket } = await dial(service());
    socket.write(binaryHead(json, json.length + size) + json);
    socket.write(Buffer.alloc(size / 2));
    await expect.poll(() => service().arena.reserved).toBeGreaterThan(size);
    socket.destroy();
    await expect.poll(() => service().arena.reserved).toBe(0);
  });

  it("of a client that leaves in the middle of its answer has its memory returned", async () => {
    const outputs = [{ name: "output", parameters: { binary_data: false } }, { name: "grad_input" }];
    const data = Array.from({ length: 200_000 }, (_, at) => at % 7);
    const inputs = ["input", "grad_output"].map((name) => ({
      name,
      shape: [data.length],
      datatype: "FP32",
      data,
    }));
    const parameters = { dim: 0, return_grad: true, binary_data_output: true };
    const body = JSON.stringify({ inputs, outputs, parameters });
    for (const wait of [0, 10, 30]) {
      const { socket } = await dial(service());
      socket.write(post(PATH, body));
      await expect.poll(() => service().arena.reserved, { interval: 1 }).toBeGreaterThan(0);
      await sleep(wait);
      socket.destroy();
      await expect.poll(() => service().arena.reserved).toBe(0);
    }
    expect((await service().get("/v2/health/ready")).json).toEqual({ ready: true });
  });
});

it("a request without a body is 411, in the protocol's form", async () => {
  const connection = await dial(service());
  connection.socket.write(`POST ${PATH} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const { status, body } = await responseOf(connection);
  expect(status).toBe(411);
  expect(body).toContain('{"error":"expected a body');
});

it("an output that is asked for twice as bytes is refused, and the connection goes on", async () => {
  const inputs = [{ name: "input", shape: [2], datatype: "FP32", data: [0, 0] }];
  const outputs = [{ name: "output" }, { name: "output" }];
  const parameters = { dim: 0, binary_data_output: true };
  const answer = await service().post(PATH, { inputs, outputs, parameters });
  expect([answer.status, answer.json]).toEqual([400, { error: "/outputs/1/name: duplicate output" }]);
  expect((await service().post(PATH, { inputs, parameters })).status).toBe(200);
});
