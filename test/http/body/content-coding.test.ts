/** Compressed bodies: read in gzip, deflate and zstd on every path that takes a body, bounded in size, ratio and memory. */
import { once } from "node:events";
import * as zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { FREE_BYTES, MAX_RATIO } from "../../../src/http/content/content-coding.ts";
import { fileBegin } from "../../conformance/files.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import { useService } from "../../support/service.ts";
import { dial, head } from "../../support/socket.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const BODY_LIMIT = 16 * MiB;

const service = useService({ bodyLimit: BODY_LIMIT, memoryBudget: 256 * MiB });

const CODINGS: readonly (readonly [string, (body: Buffer) => Buffer])[] = [
  ["gzip", (body) => zlib.gzipSync(body)],
  ["x-gzip", (body) => zlib.gzipSync(body)],
  ["deflate", (body) => zlib.deflateSync(body)],
  ["zstd", (body) => zlib.zstdCompressSync(body)],
];

/** Frames that do not know their content's size, as streams write them; Node's end with an empty second one. */
async function zstdStream(body: Buffer, windowLog: number): Promise<Buffer> {
  const compress = zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_windowLog]: windowLog } });
  const out: Buffer[] = [];
  compress.on("data", (chunk: Buffer) => out.push(chunk));
  compress.write(body.subarray(0, 1000));
  compress.end(body.subarray(1000));
  await once(compress, "end");
  return Buffer.concat(out);
}

const CLASSES = 50;
const FIELDS = {
  input: {
    dtype: "float32",
    shape: [20, CLASSES],
    data: Array.from({ length: 20 * CLASSES }, (_, at) => Math.fround(Math.sin(at))),
  },
  target: { dtype: "int64", shape: [20], data: Array.from({ length: 20 }, (_, at) => (at * 7) % CLASSES) },
  return_grad: true,
};

function file(): Buffer {
  const { input, target } = FIELDS;
  const data = [
    Buffer.from(BigInt64Array.from(target.data.map(BigInt)).buffer),
    Buffer.from(Float32Array.from(input.data).buffer),
  ];
  const middle = data[0]!.length;
  const header = fileBegin({
    target: { dtype: "I64", shape: target.shape, data_offsets: [0, middle] },
    input: { dtype: "F32", shape: input.shape, data_offsets: [middle, middle + data[1]!.length] },
  });
  return Buffer.concat([header, ...data]);
}

interface Sent {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function infer(binary: boolean): Sent {
  const { headers, body } = inferenceCall(FIELDS, binary);
  return {
    path: "/v2/models/cross_entropy/infer",
    headers: headers as Record<string, string>,
    body: Buffer.from(body),
  };
}

const SENT: readonly (readonly [string, Sent])[] = [
  [
    "JSON",
    {
      path: "/v1/cross_entropy",
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify(FIELDS)),
    },
  ],
  [
    "safetensors",
    {
      path: "/v1/cross_entropy?return_grad=true",
      headers: { "content-type": "application/vnd.safetensors" },
      body: file(),
    },
  ],
  ["an inference in JSON", infer(false)],
  ["an inference in bytes", infer(true)],
];

async function* pieces(body: Buffer, size: number): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

const post = ({ path, headers }: Sent, body: Buffer | AsyncIterable<Uint8Array>, coding?: string) =>
  service().send(
    "POST",
    path,
    body,
    coding === undefined ? headers : { ...headers, "content-encoding": coding },
  );

describe.each(SENT)("%s", (_name, sent) => {
  it.each(CODINGS)(
    "in %s is answered as it is without, whole and in chunks of 1 and 1,000 bytes",
    async (coding, compress) => {
      const plain = await post(sent, sent.body);
      expect(plain.status, plain.text).toBe(200);
      const body = compress(sent.body);
      for (const piece of [body, pieces(body, 1000), pieces(body, 1)]) {
        const answer = await post(sent, piece, coding);
        expect(answer.status, answer.text.slice(0, 200)).toBe(200);
        expect(answer.bytes.equals(plain.bytes)).toBe(true);
      }
      expect(service().arena.reserved).toBe(0);
    },
  );

  it.each(CODINGS)(
    "in %s that is cut, is not that, or goes on behind its end, is malformed_content_encoding",
    async (coding, compress) => {
      const body = compress(sent.body);
      const name = coding === "x-gzip" ? "gzip" : coding;
      for (const broken of [
        body.subarray(0, body.length - 5),
        body.subarray(0, 3),
        sent.body,
        zlib.deflateRawSync(sent.body),
        Buffer.concat([body, Buffer.from("more")]),
      ]) {
        const { status, text } = await post(sent, broken, coding);
        expect(status, text).toBe(400);
        expect(text).toContain(`the body is not ${name}: `);
      }
      expect(service().arena.reserved).toBe(0);
    },
  );
});

it("zstd of several frames is read to the end of the last one, in pieces of any size", async () => {
  const sent = SENT[0]![1];
  const plain = await post(sent, sent.body);
  const half = sent.body.length >> 1;
  const bodies = [
    await zstdStream(sent.body, 20),
    Buffer.concat([
      zlib.zstdCompressSync(sent.body.subarray(0, half)),
      zlib.zstdCompressSync(sent.body.subarray(half)),
    ]),
  ];
  for (const body of bodies) {
    for (const size of [1, 7, 1000, body.length]) {
      const answer = await post(sent, pieces(body, size), "zstd");
      expect(answer.text.slice(0, 300)).toBe(plain.text.slice(0, 300));
    }
  }
  const empty = zlib.zstdCompressSync("");
  const many = Buffer.concat([...Array(2000).fill(empty), zlib.zstdCompressSync(sent.body)]);
  expect((await post(sent, many, "zstd")).text).toContain("more than 1000 frames");
});

describe("a bomb", () => {
  const digits = Buffer.from(`{"input":[${"0,".repeat(10 * MiB)}0]}`);
  const zeros = Buffer.concat([
    fileBegin({ input: { dtype: "F32", shape: [1, 16 * MiB], data_offsets: [0, 64 * MiB] } }),
    Buffer.alloc(64 * MiB),
  ]);
  const json = {
    path: "/v1/log_softmax",
    headers: { "content-type": "application/json" },
    body: digits,
  };
  const tensors = {
    path: "/v1/log_softmax?dim=1",
    headers: { "content-type": "application/vnd.safetensors" },
    body: zeros,
  };
  const inference = {
    path: "/v2/models/log_softmax/infer",
    headers: { "content-type": "application/json" },
    body: Buffer.from(
      `{"inputs":[{"name":"input","shape":[1],"datatype":"FP32","data":[${"0,".repeat(10 * MiB)}0]}]}`,
    ),
  };

  it.each([
    ["JSON", json],
    ["safetensors", tensors],
    ["an inference", inference],
  ])(
    `of %s that inflates to more than ${MAX_RATIO} times its bytes is 413, and memory stays flat`,
    async (_name, sent) => {
      for (const [coding, compress] of CODINGS) {
        const body = compress(sent.body);
        expect(sent.body.length / body.length).toBeGreaterThan(MAX_RATIO);
        const before = process.memoryUsage().external;
        let most = 0;
        const watch = setInterval(() => {
          most = Math.max(most, process.memoryUsage().external - before);
        }, 1);
        const answer = await post(sent, body, coding);
        clearInterval(watch);
        expect(answer.status, answer.text.slice(0, 200)).toBe(413);
        expect(most).toBeLessThan(4 * MiB);
        expect(service().arena.reserved).toBe(0);
      }
    },
    60_000,
  );

  it("in chunks, whose compressed length nobody tells, is 413, too, before its last chunk has left", async () => {
    const body = zlib.gzipSync(digits);
    const { socket, text } = await dial(service());
    socket.write(
      `POST ${json.path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const first = body.subarray(0, body.length / 2);
    socket.write(`${first.length.toString(16)}\r\n`);
    socket.write(first);
    socket.write("\r\n");
    await once(socket, "data");
    expect(text()).toMatch(/^HTTP\/1.1 413 /);
    expect(text()).toContain(`at most ${MAX_RATIO} times`);
  });
});

describe("the bounds of a compressed body", () => {
  it(`leave bodies of up to ${FREE_BYTES} bytes alone, whatever their ratio`, async () => {
    const body = Buffer.from(`{"input":[${"0,".repeat(FREE_BYTES / 2 - 100)}0],"dim":0}`);
    const answer = await post(
      { path: "/v1/log_softmax", headers: { "content-type": "application/json" }, body },
      zlib.gzipSync(body),
      "gzip",
    );
    expect(answer.status).toBe(200);
  });

  it("let a safetensors file inflate beyond the body limit where it streams, and no other body", async () => {
    const rows = 17_000;
    const classes = 256;
    const floats = Float32Array.from({ length: rows * classes }, (_, at) => Math.fround(Math.sin(at % 9973)));
    const target = Buffer.alloc(8 * rows);
    const bytes = Buffer.from(floats.buffer);
    expect(bytes.length).toBeGreaterThan(BODY_LIMIT);
    const begin = fileBegin({
      target: { dtype: "I64", shape: [rows], data_offsets: [0, target.length] },
      input: {
        dtype: "F32",
        shape: [rows, classes],
        data_offsets: [target.length, target.length + bytes.length],
      },
    });
    const body = zlib.gzipSync(Buffer.concat([begin, target, bytes]), { level: 1 });
    const headers = { "content-type": "application/vnd.safetensors", accept: "application/json" };
    const answer = await post({ path: "/v1/cross_entropy", headers, body }, body, "gzip");
    expect(answer.status, answer.text.slice(0, 200)).toBe(200);
    expect(answer.json.total_weight).toBe(rows);
    const json = Buffer.from(
      `{"input":[${Array.from({ length: 2 * MiB }, (_, at) => (at % 9973) / 7).join()}]}`,
    );
    expect(json.length).toBeGreaterThan(BODY_LIMIT);
    const large = { path: "/v1/log_softmax", headers: { "content-type": "application/json" }, body: json };
    expect((await post(large, zlib.gzipSync(json, { level: 1 }), "gzip")).status).toBe(413);
  });

  it("refuse a zstd window of more than 8 MiB, and count one of 8 MiB against the memory budget", async () => {
    const sent = SENT[1]![1];
    expect((await post(sent, await zstdStream(sent.body, 23), "zstd")).status).toBe(200);
    const refused = await post(sent, await zstdStream(sent.body, 24), "zstd");
    expect([refused.status, refused.json.code]).toEqual([400, "malformed_content_encoding"]);

    const body = await zstdStream(sent.body, 23);
    const { socket } = await dial(service());
    const headers = "content-type: application/vnd.safetensors\r\ncontent-encoding: zstd\r\n";
    socket.write(head(sent.path, body.length, headers));
    socket.write(body.subarray(0, body.length - 100));
    await expect.poll(() => service().arena.reserved).toBeGreaterThan(8 * MiB - 1);
    socket.destroy();
    await expect.poll(() => service().arena.reserved).toBe(0);
  });
});
