/** Tensors as bytes: the four ways between JSON and safetensors, and uploads that are computed while they come. */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { request } from "undici";
import { describe, expect, it } from "vitest";
import type { FileTensors } from "../../conformance/files.ts";
import { fileBegin, readTestFile, tensor, writeTestFile } from "../../conformance/files.ts";
import { numbersOf } from "../../conformance/forms.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import { dial, head } from "../../support/socket.ts";

const FILE = "application/vnd.safetensors";
const CE = "/v1/cross_entropy";

/** A server that has to stream what does not fit into 16 KiB, and one that holds all of it. */
const small = useService({ bodyLimit: 16 * 1024 });
const large = useService();

const wave = (at: number): number => Math.sin(at * 12.9898) * 3;

function numbers(tensors: FileTensors, name: string): number[] {
  const { dtype, bytes } = tensors[name]!;
  return numbersOf(dtype, bytes);
}

const LOGITS = tensor("float32", [3, 5], wave);
const TARGETS = tensor("int64", [3], (at) => at + 1);
const BODY = writeTestFile({ input: LOGITS, target: TARGETS });

/** Bytes in pieces of these lengths, in turns. */
async function* inPieces(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    yield bytes.subarray(at, at + length);
    at += length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const post = (service: Service, path: string, body: Buffer | AsyncIterable<Buffer>, accept?: string) =>
  service.send("POST", path, body, { "content-type": FILE, ...(accept ? { accept } : {}) });

describe("the format of an answer", () => {
  it("is the request's `format` for losses that were computed as rows arrived", async () => {
    const body = writeTestFile({ target: TARGETS, input: LOGITS });
    const headers = { "content-type": "application/vnd.safetensors", accept: "application/json" };
    const path = "/v1/cross_entropy?reduction=none";
    const nested = await large().send("POST", path, body, headers);
    const flat = await large().send("POST", `${path}&format=flat`, body, headers);
    expect(Array.isArray(nested.json.losses)).toBe(true);
    expect(flat.json.losses).toEqual({
      dtype: "float32",
      shape: [nested.json.losses.length],
      data: nested.json.losses,
    });
  });

  const asJson = { input: { shape: [3, 5], base64: LOGITS.bytes.toString("base64") }, target: [1, 2, 3] };

  it("is the request's own, or the one that Accept prefers: four ways, one loss", async () => {
    const ways = [
      await large().post(CE, asJson),
      await large().post(CE, asJson, { accept: FILE }),
      await post(large(), CE, BODY),
      await post(large(), CE, BODY, "application/json"),
    ];
    expect(ways.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const json = ["application/json; charset=utf-8", FILE, FILE, "application/json; charset=utf-8"];
    expect(ways.map(({ headers }) => headers["content-type"])).toEqual(json);
    const losses = ways.map(({ json: members, bytes }) =>
      members === undefined ? numbers(readTestFile(bytes).tensors, "loss")[0] : Math.fround(members.loss),
    );
    expect(new Set(losses).size).toBe(1);
    expect(losses[0]).toBeGreaterThan(0);
  });

  it("of safetensors has scalars as 0-dim tensors, every tensor aligned, and warnings in the metadata", async () => {
    const path = `${CE}?reduction=elementwise_mean&return_grad=true`;
    const answer = await post(
      large(),
      path,
      writeTestFile({ input: tensor("bfloat16", [1, 3], wave), target: tensor("int64", [1], () => 2) }),
    );
    const { tensors, metadata } = readTestFile(answer.bytes);
    expect(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["total_weight", "float32", []],
      ["grad_input", "bfloat16", [1, 3]],
      ["loss", "bfloat16", []],
    ]);
    expect(metadata.warnings).toContain("elementwise_mean");
    expect(answer.headers["content-length"]).toBe(String(answer.bytes.length));
  });

  it("of more than a page has all its bytes, in order", async () => {
    const input = tensor("float64", [700, 100], wave);
    const answer = await post(large(), "/v1/log_softmax?dim=0", writeTestFile({ input }));
    const json = await post(large(), "/v1/log_softmax?dim=0", writeTestFile({ input }), "application/json");
    expect(numbers(readTestFile(answer.bytes).tensors, "output")).toEqual(json.json.output.flat());
  });

  it.each([{ format: "flat" }, { non_finite: "null" }])(
    "takes no %j where it is safetensors",
    async (option) => {
      const answer = await large().post(CE, { ...asJson, ...option }, { accept: FILE });
      expect([answer.status, answer.json.code]).toEqual([422, "option_without_effect"]);
    },
  );
});

describe("options", () => {
  it("stand in the query string or in the metadata, the query string winning", async () => {
    const metadata = { reduction: "sum", return_grad: "true" };
    const body = writeTestFile({ input: LOGITS, target: TARGETS }, { metadata });
    const sum = readTestFile((await post(large(), CE, body)).bytes).tensors;
    const mean = readTestFile((await post(large(), `${CE}?reduction=mean`, body)).bytes).tensors;
    expect(numbers(sum, "loss")[0]).toBeCloseTo(numbers(mean, "loss")[0]! * 3, 5);
    expect(sum.grad_input?.shape).toEqual([3, 5]);
  });

  it.each(["pt", "np", "tf", "flax", "mlx"])(
    "`format: %s`, which writers add, is no option",
    async (format) => {
      const body = writeTestFile({ input: LOGITS, target: TARGETS }, { metadata: { format } });
      expect((await post(large(), CE, body)).status).toBe(200);
    },
  );

  it.each([
    ["?redution=sum", {}, "/redution"],
    ["?ignore_index=1.5", {}, "/ignore_index"],
    ["?return_grad=yes", {}, "/return_grad"],
    ["?label_smoothing=x", {}, "/label_smoothing"],
    ["?target=0", {}, "/target"],
    ["?__proto__=1", {}, "/__proto__"],
    ["", { author: "somebody" }, "/author"],
    ["", { input: "1" }, "/input"],
  ])("%s with metadata %j is refused with the pointer %s", async (query, metadata, pointer) => {
    const body = writeTestFile({ input: LOGITS, target: TARGETS }, { metadata });
    const answer = await post(large(), CE + query, body);
    expect([answer.status, answer.json.errors[0].pointer]).toEqual([422, pointer]);
  });

  it("one that stands twice in the query string is duplicate_key", async () => {
    const answer = await post(large(), `${CE}?reduction=sum&reduction=mean`, BODY);
    expect([answer.status, answer.json.code]).toEqual([400, "duplicate_key"]);
  });

  it("a tensor that is no field, or a missing one, is refused by name", async () => {
    const more = await post(large(), CE, writeTestFile({ input: LOGITS, target: TARGETS, dim: TARGETS }));
    expect([more.status, more.json.errors[0].pointer]).toEqual([422, "/dim"]);
    const less = await post(large(), CE, writeTestFile({ input: LOGITS }));
    expect([less.status, less.json.errors[0].pointer]).toEqual([422, "/target"]);
  });

  it("a target that is no class is refused with the pointer to it", async () => {
    const target = tensor("int64", [3], (at) => at * 3);
    const answer = await post(large(), CE, writeTestFile({ input: LOGITS, target }));
    expect([answer.status, answer.json.errors[0].pointer]).toEqual([422, "/target/2"]);
  });
});

const shapes = fc.constantFrom(
  [80, 70],
  [19, 300],
  [700, 7],
  [5, 4, 3, 60],
  [12, 9, 50],
  [1, 2000],
  [1000, 1],
);

describe("an upload over the body limit", () => {
  it("has the bytes of one that is held in memory, for any shape, dtype, options and pieces", async () => {
    const question = fc.record({
      operation: fc.constantFrom("cross_entropy", "nll_loss"),
      dtype: fc.constantFrom("float32", "float64", "float16", "bfloat16"),
      shape: shapes,
      reduction: fc.constantFrom("none", "mean", "sum"),
      smoothing: fc.constantFrom("0", "0.2"),
      weight: fc.constantFrom("none", "first", "last"),
      grad: fc.boolean(),
      pieces: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        question,
        async ({ operation, dtype, shape, reduction, smoothing, weight, grad, pieces }) => {
          const [outer = 0, classes = 0, ...inner] = shape;
          const positions = [outer, ...inner];
          const smooth = operation === "cross_entropy" ? smoothing : "0";
          const late = weight === "last" && !grad && smooth === "0";
          const factors = { weight: tensor(dtype, [classes], (at) => 0.5 + (at % 3)) };
          const tensors = {
            target: tensor("int64", positions, (at) => (at % 7 === 3 ? -100 : (at * 31) % classes)),
            ...(grad && reduction === "none" ? { grad_output: tensor(dtype, positions, wave) } : {}),
            ...(weight !== "none" && !late ? factors : {}),
            input: tensor(dtype, shape, wave),
            ...(late ? factors : {}),
          };
          const body = writeTestFile(tensors, { asTheyStand: true });
          const options = new URLSearchParams({ reduction, return_grad: String(grad) });
          if (operation === "cross_entropy") options.set("label_smoothing", smooth);
          const path = `/v1/${operation}?${options}`;
          const held = await post(large(), path, body);
          const streamed = await post(small(), path, inPieces(body, pieces));
          expect([held.status, streamed.status]).toEqual([200, 200]);
          expect(streamed.bytes.equals(held.bytes)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  it("of log_softmax along any dimension but the first, with a cast or not, has the bytes of one in memory", async () => {
    const question = fc.record({
      shape: shapes.filter(([outer = 0]) => outer > 4),
      dim: fc.constantFrom(1, -1),
      dtype: fc.constantFrom("", "&dtype=float64", "&dtype=bfloat16"),
      pieces: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(question, async ({ shape, dim, dtype, pieces }) => {
        const body = writeTestFile({ input: tensor("float32", shape, wave) });
        const path = `/v1/log_softmax?dim=${dim}${dtype}`;
        const [held, streamed] = [
          await post(large(), path, body),
          await post(small(), path, inPieces(body, pieces)),
        ];
        expect([held.status, streamed.status]).toEqual([200, 200]);
        expect(streamed.bytes.equals(held.bytes)).toBe(true);
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  const wide = tensor("float32", [60, 100], wave);
  const classes = tensor("int64", [60], (at) => at);

  it.each([
    [
      "a target after the input",
      { input: wide, target: tensor("int32", [60], (at) => at) },
      "",
      "target before input",
    ],
    ["probabilities", { input: wide, target: wide }, "", "beside its logits"],
    [
      "a gradient with the weight last",
      { target: classes, input: wide, weight: tensor("float32", [100], () => 1) },
      "?return_grad=true",
      "weight before input",
    ],
    [
      "label_smoothing with the weight last",
      { target: classes, input: wide, weight: tensor("float32", [100], () => 1) },
      "?label_smoothing=0.1",
      "weight before input",
    ],
    [
      "one row over the limit",
      { target: tensor("int64", [1], () => 0), input: tensor("float32", [1, 6000], wave) },
      "",
      "24000 bytes in one row",
    ],
    [
      "one sample over the limit",
      { target: tensor("uint8", [1, 3000], () => 0), input: tensor("float32", [1, 2, 3000], wave) },
      "",
      "24000 bytes in one row, the elements of dim and of all dimensions after it",
    ],
    [
      "targets over the limit",
      { target: tensor("int64", [3000], () => 0), input: tensor("float32", [3000, 2], wave) },
      "",
      "24000 bytes of tensors beside the input",
    ],
  ])("with %s is body_too_large, and says why", async (_title, tensors, query, reason) => {
    const answer = await post(
      small(),
      CE + query,
      writeTestFile(tensors as unknown as FileTensors, { asTheyStand: true }),
    );
    expect([answer.status, answer.json.code]).toEqual([413, "body_too_large"]);
    expect(answer.json.detail).toContain(reason);
    expect(answer.json.detail).toMatch(/^expected at most \d+ bytes \(BODY_LIMIT\), got /);
  });

  it("with a gradient wanted in JSON, or of log_softmax with its gradient, is body_too_large", async () => {
    const body = writeTestFile({ target: classes, input: wide }, { asTheyStand: true });
    const json = await post(small(), `${CE}?return_grad=true`, body, "application/json");
    expect([json.status, json.json.code]).toEqual([413, "body_too_large"]);
    const both = writeTestFile({ input: wide, grad_output: wide });
    const answer = await post(small(), "/v1/log_softmax?dim=1&return_grad=true", both);
    expect([answer.status, answer.json.code]).toEqual([413, "body_too_large"]);
  });

  it("whose loss is wanted in JSON streams", async () => {
    const body = writeTestFile({ target: classes, input: wide }, { asTheyStand: true });
    const [answer, held] = [
      await post(small(), CE, body, "application/json"),
      await post(large(), CE, body, "application/json"),
    ];
    expect(answer.json).toEqual(held.json);
  });
});

describe("a body that turns out to be broken", () => {
  const input = tensor("float32", [4000, 100], wave);
  const file = writeTestFile({ input });

  it("with bytes behind the last tensor, sent in chunks, is malformed_safetensors", async () => {
    const body = Buffer.concat([BODY, Buffer.from("x")]);
    const answer = await post(large(), CE, inPieces(body, [100]));
    expect([answer.status, answer.json.code]).toEqual([400, "malformed_safetensors"]);
  });

  it("whose Content-Length is not that of its tensors is refused from its header", async () => {
    const answer = await post(large(), CE, Buffer.concat([BODY, Buffer.from("x")]));
    expect([answer.status, answer.json.code]).toEqual([400, "malformed_safetensors"]);
  });

  it("once its answer has begun, ends it before its length: no reader takes it for whole", async () => {
    const body = Readable.from(inPieces(Buffer.concat([file, Buffer.from("x")]), [65_536]));
    const sent = request(`${small().url}/v1/log_softmax?dim=1`, {
      method: "POST",
      headers: { "content-type": FILE },
      body,
    });
    await expect(sent.then((answer) => answer.body.arrayBuffer())).rejects.toThrow();
    await expect.poll(() => small().arena.reserved).toBe(0);
  });

  it("by a client that leaves gives its window back", async () => {
    const { socket } = await dial(small());
    socket.write(head("/v1/log_softmax?dim=1", file.length, `content-type: ${FILE}\r\n`));
    socket.write(file.subarray(0, 400_000));
    await expect.poll(() => small().arena.reserved).toBeGreaterThan(0);
    socket.destroy();
    await expect.poll(() => small().arena.reserved).toBe(0);
  });

  it("is refused without waiting for the rest of it, and the connection goes on", async () => {
    const target = tensor("int64", [4000], (at) => at);
    const body = writeTestFile(
      { target, input: tensor("float32", [4000, 100], wave) },
      { asTheyStand: true },
    );
    const answer = await post(large(), CE, body);
    expect([answer.status, answer.json.code]).toEqual([422, "target_out_of_bounds"]);
    expect((await post(large(), CE, BODY)).status).toBe(200);
  });
});

describe("a server without room", () => {
  const tiny = useService({ memoryBudget: 1024 * 1024, bodyLimit: 64 * 1024 * 1024 });
  const file = writeTestFile({ input: tensor("float32", [2000, 1000], wave) });

  it("refuses what never fits as body_too_large, not as overloaded", async () => {
    const answer = await post(tiny(), "/v1/log_softmax?dim=0", file);
    expect([answer.status, answer.json.code]).toEqual([413, "body_too_large"]);
    expect(answer.json.detail).toMatch(
      /^expected at most \d+ bytes \(MEMORY_BUDGET\), got 8000000 bytes of input$/,
    );
  });

  it("says so with a status also where an answer would stream", async () => {
    const body = writeTestFile({ input: tensor("float32", [20_000, 1000], () => 1) });
    const { arena } = tiny();
    // Room for the request itself, but not for its window.
    const hold = [arena.reserve(arena.capacity - 150_000)];
    const answer = await post(tiny(), "/v1/log_softmax?dim=1", body);
    expect([answer.status, answer.json.code]).toEqual([503, "overloaded"]);
    for (const region of hold) region.release();
  });
});

describe("back-pressure", () => {
  it("a reader that stops holds the upload up, and a window is all that is kept of it", async () => {
    const rows = 200_000;
    const input = tensor("float32", [rows, 16], wave);
    const body = writeTestFile({ input });
    const { socket } = await dial(small());
    socket.pause();
    socket.write(head("/v1/log_softmax?dim=1", body.length, `content-type: ${FILE}\r\n`));
    const written = new Promise<void>((resolve) => socket.write(body, () => resolve()));
    const early = await Promise.race([written.then(() => true), sleep(700).then(() => false)]);
    expect(early).toBe(false);
    expect(small().arena.reserved).toBeLessThan(1024 * 1024);
    socket.resume();
    await written;
    socket.destroy();
    await expect.poll(() => small().arena.reserved).toBe(0);
  });

  it("256 MiB pass through a memory budget of 4 MiB, and their mean is that of 1/64 of them", async () => {
    const budget = tight();
    const rows = 1024;
    const part = tensor("float32", [rows, 1024], wave).bytes;
    const shape = [rows * 64, 1024];
    const target = Buffer.alloc(rows * 64 * 8);
    const header = (size: readonly number[], length: number): Buffer =>
      fileBegin({
        target: { dtype: "I64", shape: [size[0]], data_offsets: [0, length] },
        input: { dtype: "F32", shape: size, data_offsets: [length, length + (size[0] ?? 0) * 4096] },
      });
    async function* whole(): AsyncGenerator<Buffer> {
      yield header(shape, target.length);
      yield target;
      for (let k = 0; k < 64; k++) yield part;
    }
    const small64 = Buffer.concat([header([rows, 1024], rows * 8), target.subarray(0, rows * 8), part]);
    const [all, one] = [await post(budget, CE, whole()), await post(large(), CE, small64)];
    expect([all.status, one.status]).toEqual([200, 200]);
    const [loss, want] = [all, one].map(({ bytes }) => numbers(readTestFile(bytes).tensors, "loss")[0]!);
    expect(loss).toBeCloseTo(want!, 5);
  }, 60_000);

  const tight = useService({ memoryBudget: 4 * 1024 * 1024, bodyLimit: 1024 * 1024 });
});
