/** The same bytes get the same response whether their length is announced, they come in chunks, or compressed. */
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const service = useService();

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 13) yield bytes.subarray(at, at + 13);
}

const FRAMINGS: Readonly<
  Record<string, (bytes: Buffer) => [Buffer | AsyncIterable<Buffer>, Record<string, string>]>
> = {
  chunks: (bytes) => [chunksOf(bytes), {}],
  gzip: (bytes) => [gzipSync(bytes), { "content-encoding": "gzip" }],
  deflate: (bytes) => [deflateSync(bytes), { "content-encoding": "deflate" }],
  zstd: (bytes) => [zstdCompressSync(bytes), { "content-encoding": "zstd" }],
  "gzip in chunks": (bytes) => [chunksOf(gzipSync(bytes)), { "content-encoding": "gzip" }],
};

const LOGITS = tensor("float32", [2, 3], (at) => at / 3);
const TARGETS = tensor("int64", [2], (at) => at);
const file = writeTestFile({ input: LOGITS, target: TARGETS });
const streamed = writeTestFile({ target: TARGETS, input: LOGITS });
const inference = JSON.stringify({
  inputs: [
    { name: "input", datatype: "FP32", shape: [2, 3], parameters: { binary_data_size: 24 } },
    { name: "target", datatype: "INT64", shape: [2], parameters: { binary_data_size: 16 } },
  ],
});
const JSON_TYPE = { "content-type": "application/json" };
const FILE_TYPE = { "content-type": "application/vnd.safetensors", accept: "application/json" };
const json = Buffer.from('{"input":[[0,1,2],[3,4,5]],"target":[0,1]}');

const BODIES: Readonly<Record<string, [path: string, headers: Record<string, string>, body: Buffer]>> = {
  JSON: ["/v1/cross_entropy", JSON_TYPE, json],
  safetensors: ["/v1/cross_entropy", FILE_TYPE, file],
  "safetensors with the target first": ["/v1/cross_entropy", FILE_TYPE, streamed],
  "an inference request": [
    "/v2/models/cross_entropy/infer",
    { "inference-header-content-length": String(inference.length) },
    Buffer.concat([
      Buffer.from(inference),
      Buffer.from(new Float32Array(6).buffer),
      Buffer.from(new BigInt64Array(2).buffer),
    ]),
  ],
};

describe.each(Object.entries(BODIES))("%s", (_, [path, type, whole]) => {
  const send = async (body: Buffer | AsyncIterable<Buffer>, headers: Record<string, string>) => {
    const { status, json: answer } = await service().send("POST", path, body, { ...type, ...headers });
    const { request_id: __, ...problem } = answer;
    return { status, ...problem };
  };

  it.each(Object.entries(FRAMINGS))("in %s, cut at every byte", async (_name, frame) => {
    for (let length = 0; length <= whole.length; length++) {
      const bytes = whole.subarray(0, length);
      const expected = await send(bytes, {});
      expect(expected.status).toBe(length < whole.length ? 400 : 200);
      expect({ length, ...(await send(...frame(bytes))) }).toEqual({ length, ...expected });
    }
  });

  it.each(Object.entries(FRAMINGS))("in %s, with a byte too many", async (_name, frame) => {
    const bytes = Buffer.concat([whole, Buffer.from("x")]);
    const { detail: _detail, error: _error, ...expected } = await send(bytes, {});
    expect(expected.status).toBe(400);
    expect(await send(...frame(bytes))).toMatchObject(expected);
  });
});
