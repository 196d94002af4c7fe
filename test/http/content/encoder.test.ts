/** Compressed responses: long JSON by Accept-Encoding as it is printed, documents once. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { chooseCoding } from "../../../src/http/content/accept-encoding.ts";
import { MAX_COMPRESSORS } from "../../../src/http/content/encoder.ts";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import { dial, post } from "../../support/socket.ts";

const KiB = 1024;

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes),
  br: (bytes) => brotliDecompressSync(bytes),
  zstd: (bytes) => zstdDecompressSync(bytes),
};
const CODINGS = Object.keys(DECODERS);

const SHAPE = [64, 1000];
const DATA = Array.from({ length: 64_000 }, (_, at) => Math.fround(9 * Math.sin(at)));
const INPUT = { dtype: "float32", shape: SHAPE, data: DATA };

type Post = (service: Service, headers?: Record<string, string>) => ReturnType<Service["post"]>;

const inFormat =
  (format: string): Post =>
  (service, headers) =>
    service.post("/v1/log_softmax", { input: INPUT, dim: 1, format }, headers);

const infer =
  (binary: boolean): Post =>
  (service, own) => {
    const { headers, body } = inferenceCall({ input: INPUT, dim: 1 }, binary);
    return service.send("POST", "/v2/models/log_softmax/infer", Buffer.from(body), {
      ...(headers as Record<string, string>),
      ...own,
    });
  };

const long = inFormat("nested");
const OFFER = { "accept-encoding": "gzip, br, zstd, identity;q=0" };

const offering = useService({ compressResponses: true, origins: ["https://app.example.org"] });
const plain = useService();

describe.each<[string, Post]>([
  ["nested", long],
  ["flat", inFormat("flat")],
  ["base64", inFormat("base64")],
  ["inference", infer(false)],
])("a JSON response over 64 KiB, %s", (_name, post) => {
  it.each(CODINGS)(
    "is compressed with %s where a client offers it, and decodes to the same bytes",
    async (coding) => {
      const identity = await post(offering());
      expect(identity.bytes.length).toBeGreaterThan(64 * KiB);
      expect(identity.headers["content-encoding"]).toBeUndefined();
      const encoded = await post(offering(), { "accept-encoding": coding });
      expect([encoded.status, encoded.headers["content-encoding"]]).toEqual([200, coding]);
      expect(encoded.headers["content-length"]).toBeUndefined();
      expect(encoded.headers["content-type"]).toBe("application/json; charset=utf-8");
      expect(encoded.bytes.length).toBeLessThan(identity.bytes.length * 0.8);
      expect(DECODERS[coding]!(encoded.bytes).equals(identity.bytes)).toBe(true);
      for (const { headers } of [identity, encoded]) expect(headers.vary).toBe("origin, accept-encoding");
    },
  );
});

it("by default, a long JSON response is compressed only for a client that refuses identity", async () => {
  const offered = await long(plain(), { "accept-encoding": "gzip, deflate, br, zstd" });
  expect([offered.headers["content-encoding"], offered.headers.vary]).toEqual([undefined, "accept-encoding"]);
  const required = await long(plain(), { "accept-encoding": "gzip, identity;q=0" });
  expect(required.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(required.bytes).equals(offered.bytes)).toBe(true);
});

it.each<[string, (service: Service) => ReturnType<Service["post"]>, number]>([
  ["JSON of one page", (service) => service.post("/v1/log_softmax", { input: [0], dim: 0 }, OFFER), 200],
  ["a problem", (service) => service.post("/v1/log_softmax", { input: [0], dim: 7 }, OFFER), 422],
  [
    "safetensors",
    (service) =>
      service.post(
        "/v1/log_softmax",
        { input: INPUT, dim: 1 },
        { ...OFFER, accept: "application/vnd.safetensors" },
      ),
    200,
  ],
  ["inference with binary tensors", (service) => infer(true)(service, OFFER), 200],
])("%s is never compressed", async (_name, post, status) => {
  const answer = await post(offering());
  expect([answer.status, answer.headers["content-encoding"]]).toEqual([status, undefined]);
});

it.each<[string | undefined, string | undefined, boolean]>([
  [undefined, undefined, false],
  ["", undefined, false],
  ["gzip", "gzip", false],
  ["gzip, deflate", "gzip", false],
  ["gzip, deflate, br, zstd", "zstd", false],
  ["gzip, br", "br", false],
  ["GZIP", "gzip", false],
  ["deflate", undefined, false],
  ["*", "zstd", false],
  ["zstd;q=0, *", "br", false],
  ["gzip;q=0.5, br;q=0.2", "gzip", false],
  ["gzip;q=0.5, identity", undefined, false],
  ["gzip;q=0", undefined, false],
  ["gzip;Q=0", undefined, false],
  ["gzip, identity;q=0", "gzip", true],
  ["*;q=0, gzip;q=0.1", "gzip", true],
  ["identity;q=0", undefined, false],
  ["*;q=0", undefined, false],
  [`${"x,".repeat(10_000)}gzip`, undefined, false],
  // The limit of 1024 characters cuts before the quality, and a single coding that is longer than the limit.
  [`${"x,".repeat(510)}gzip;q=0`, undefined, false],
  [`gzip,${"x,".repeat(510)}br`, "gzip", false],
  ["g".repeat(2000), undefined, false],
])("Accept-Encoding %j means %s", (header, coding, isRequired) => {
  expect(chooseCoding(header)).toEqual({ coding, isRequired });
});

describe("clients that do not read", () => {
  const failures: string[] = [];
  const impatient = useService({
    compressResponses: true,
    limits: { ...LIMITS, stallMs: 1500 },
    log: (line) => void (line.includes("failed") && failures.push(line)),
  });
  // The compressed response is larger than the buffers of both sockets.
  const BODY = JSON.stringify({ dim: 0, input: Array.from({ length: 2_000_000 }, (_, at) => at % 997) });
  const reserved = () => impatient().arena.reserved;

  async function ask(body: string): Promise<Socket> {
    const { socket } = await dial(impatient());
    socket.write(post("/v1/log_softmax", body, "accept-encoding: gzip\r\n"));
    return socket;
  }

  it(`clients that leave while a compressed response comes return their memory and their compressors, more than ${MAX_COMPRESSORS} of them`, async () => {
    const body = JSON.stringify({ dim: 1, input: [DATA] });
    for (let left = 0; left < MAX_COMPRESSORS + 10; left++) {
      const socket = await ask(body);
      await once(socket, "data");
      socket.destroy();
    }
    await expect.poll(reserved).toBe(0);
    const answer = await long(impatient(), { "accept-encoding": "gzip" });
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(failures).toEqual([]);
  });

  it("a client that stops reading holds up its own response only, and is cut after the stall limit", async () => {
    const socket = await ask(BODY);
    socket.pause();
    await expect.poll(reserved).toBeGreaterThan(0);
    const answer = await long(impatient(), { "accept-encoding": "gzip" });
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(reserved()).toBeGreaterThan(0);
    await expect.poll(reserved, { interval: 100 }).toBe(0);
    expect(failures).toEqual([]);
  });
});

describe.each([
  "/openapi.json",
  "/openapi.yaml",
  "/openapi-3.0.json",
  "/guide/",
  "/guide/formats",
  "/playground/page.js",
])("%s", (path) => {
  it.each(CODINGS)("comes in %s, the same by GET and HEAD, with an entity tag of its own", async (coding) => {
    const identity = await plain().get(path);
    const header = { "accept-encoding": coding };
    const encoded = await plain().get(path, header);
    expect(encoded.headers["content-encoding"]).toBe(coding);
    expect(encoded.bytes.length).toBeLessThan(identity.bytes.length * 0.7);
    expect(DECODERS[coding]!(encoded.bytes).equals(identity.bytes)).toBe(true);
    const head = await plain().send("HEAD", path, undefined, header);
    expect(head.bytes.length).toBe(0);
    for (const name of ["content-encoding", "content-length", "content-type", "vary", "etag"]) {
      expect(head.headers[name]).toBe(encoded.headers[name]);
    }
    for (const { headers, bytes } of [identity, encoded]) {
      expect([headers.vary, headers["content-length"]]).toEqual(["accept-encoding", String(bytes.length)]);
    }
    const { etag } = encoded.headers;
    if (etag === undefined) return;
    expect(etag).not.toBe(identity.headers.etag);
    const known = await plain().get(path, { ...header, "if-none-match": String(etag) });
    expect([known.status, known.headers.etag, known.headers.vary]).toEqual([304, etag, "accept-encoding"]);
    const other = await plain().get(path, { "if-none-match": String(etag) });
    expect(other.status).toBe(200);
  });
});
