/** A body that is cut or too long gets one problem, however it is framed: by Content-Length, in chunks or compressed. */
import * as zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { fileBegin } from "../../conformance/files.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import { useService } from "../../support/service.ts";

const SHAPE = [3, 4];
const INPUT = { dtype: "float32", shape: SHAPE, data: Array.from({ length: 12 }, (_, at) => at / 4) };
const TARGET = { dtype: "int64", shape: [3], data: [0, 3, 1] };

interface Sent {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  /** Lengths of its parts: the prefix, the header or the JSON, and the tensors. */
  readonly parts: readonly number[];
}

/** A file with the input last, whose rows stream, or first. */
function file(operation: string, inputLast: boolean, accept: string): Sent {
  const target = Buffer.from(BigInt64Array.from(TARGET.data.map(BigInt)).buffer);
  const input = Buffer.from(Float32Array.from(INPUT.data).buffer);
  const [first, second] = inputLast ? [target, input] : [input, target];
  const offsets = [
    [0, first.length],
    [first.length, first.length + second.length],
  ] as const;
  const begin = fileBegin({
    target: { dtype: "I64", shape: TARGET.shape, data_offsets: offsets[inputLast ? 0 : 1] },
    input: { dtype: "F32", shape: SHAPE, data_offsets: offsets[inputLast ? 1 : 0] },
  });
  return {
    path: `/v1/${operation}`,
    headers: { "content-type": "application/vnd.safetensors", accept },
    body: Buffer.concat([begin, first, second]),
    parts: [8, begin.length - 8, first.length, second.length],
  };
}

function inference(binary: boolean): Sent {
  const { headers, body } = inferenceCall({ input: INPUT, target: TARGET }, binary);
  const json = binary ? Number(headers["inference-header-content-length"]) : body.length;
  return {
    path: "/v2/models/cross_entropy/infer",
    headers,
    body,
    parts: binary ? [json, 48, 24] : [json],
  };
}

const JSON_BODY = Buffer.from(JSON.stringify({ input: INPUT, target: TARGET, return_grad: true }));

const BODIES: readonly (readonly [string, Sent])[] = [
  ["a file whose rows stream", file("cross_entropy", true, "application/json")],
  ["a file whose input is first", file("cross_entropy", false, "application/json")],
  ["a file with a response of bytes", file("cross_entropy", true, "application/vnd.safetensors")],
  [
    "JSON of /v1",
    {
      path: "/v1/cross_entropy",
      headers: { "content-type": "application/json" },
      body: JSON_BODY,
      parts: [JSON_BODY.length],
    },
  ],
  ["JSON of /v2", inference(false)],
  ["JSON and bytes of /v2", inference(true)],
];

async function* pieces(body: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

type Framed = readonly [body: Buffer | AsyncIterable<Buffer>, headers: Record<string, string>];

const coded = (coding: string, compress: (body: Buffer) => Buffer): [string, (body: Buffer) => Framed][] => [
  [coding, (body) => [compress(body), { "content-encoding": coding }]],
  [`${coding} in chunks`, (body) => [pieces(compress(body), 16), { "content-encoding": coding }]],
];

const FRAMINGS: readonly (readonly [string, (body: Buffer) => Framed])[] = [
  ["one chunk", (body) => [pieces(body, body.length), {}]],
  ["chunks of 5 bytes", (body) => [pieces(body, 5), {}]],
  ...coded("gzip", (body) => zlib.gzipSync(body)),
  ...coded("deflate", (body) => zlib.deflateSync(body)),
  ...coded("zstd", (body) => zlib.zstdCompressSync(body)),
];

const service = useService();

/** The status and all of the problem except its id, or the status alone of a response that is none. */
async function outcome({ path, headers }: Sent, [body, more]: Framed): Promise<unknown> {
  const { status, json } = await service().send("POST", path, body, { ...headers, ...more });
  if (status === 200) return { status };
  const { request_id: _, ...problem } = json;
  return { status, problem };
}

/** The body cut at both sides of each boundary and within each part, whole, and with bytes behind it. */
function* cuts({ body, parts }: Sent): Generator<Buffer> {
  const lengths = new Set([0, 1, 7, 8, 9, body.length - 1]);
  let end = 0;
  for (const part of parts) {
    for (const length of [end + 1, end + (part >> 1), end + part - 1, end + part]) lengths.add(length);
    end += part;
  }
  for (const length of lengths) yield body.subarray(0, length);
  for (const more of [1, 8, 1000]) yield Buffer.concat([body, Buffer.alloc(more, "x")]);
}

describe.each(BODIES)("%s, cut at its boundaries or with bytes behind it", (_title, sent) => {
  it.each(FRAMINGS)("gets the problem of a body with Content-Length: %s", async (_framing, frame) => {
    let problems = 0;
    for (const body of cuts(sent)) {
      const expected = await outcome(sent, [body, {}]);
      if (JSON.stringify(expected) !== '{"status":200}') problems++;
      expect({ bytes: body.length, ...((await outcome(sent, frame(body))) as object) }).toEqual({
        bytes: body.length,
        ...(expected as object),
      });
    }
    expect(problems).toBeGreaterThan(6);
    await expect.poll(() => service().arena.reserved).toBe(0);
  });
});

describe("a file that is cut", () => {
  const [[, sent]] = BODIES as [(typeof BODIES)[0]];
  const [prefix, header, target, input] = sent.parts as [number, number, number, number];
  const begin = prefix + header;

  it.each([
    [0, "expected 8 bytes of header length, got 0"],
    [7, "expected 8 bytes of header length, got 7"],
    [8, `expected a header of ${header} bytes, got a body that ends after 8 bytes`],
    [begin - 1, `expected a header of ${header} bytes, got a body that ends after ${begin - 1} bytes`],
    [begin, `expected ${target + input} bytes of tensors after the header, got 0`],
    [
      sent.body.length - 1,
      `expected ${target + input} bytes of tensors after the header, got ${target + input - 1}`,
    ],
  ])("after %i bytes, in chunks, is no safetensors file", async (length, detail) => {
    expect(await outcome(sent, [pieces(sent.body.subarray(0, length), 9), {}])).toMatchObject({
      status: 400,
      problem: { code: "malformed_safetensors", detail: expect.stringContaining(detail) },
    });
  });
});

describe("a header that is too long and not there", () => {
  it.each(FRAMINGS)("gets the problem of a body with Content-Length: %s", async (_framing, frame) => {
    const [[, sent]] = BODIES as [(typeof BODIES)[0]];
    const body = Buffer.alloc(20);
    body.writeBigUInt64LE(2_000_000n);
    const expected = await outcome(sent, [body, {}]);
    expect(expected).toMatchObject({ status: 413, problem: { code: "safetensors_header_too_large" } });
    expect(await outcome(sent, frame(body))).toEqual(expected);
  });
});
