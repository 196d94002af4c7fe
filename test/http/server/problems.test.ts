/** Every code of the problem table, provoked through real HTTP, with its pointer. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HEADERS_TIMEOUT_MS } from "../../../src/http/server/timeouts.ts";
import type { ProblemCode } from "../../../src/problems.ts";
import { PROBLEMS } from "../../../src/problems.ts";
import { fileBegin } from "../../conformance/files.ts";
import type { Answer, Service } from "../../support/service.ts";
import { startService } from "../../support/service.ts";
import { exchange, parseResponse } from "../../support/socket.ts";

const CE = "/v1/cross_entropy";
const NLL = "/v1/nll_loss";
const LS = "/v1/log_softmax";
const TWO = [
  [0, 1],
  [2, 3],
];

interface Provocation {
  readonly title: string;
  readonly code: ProblemCode;
  readonly path: string;
  readonly body: unknown;
  readonly pointer?: string;
}

const flat = (dtype: string, shape: number[], data: unknown[]) => ({ dtype, shape, data });
const deep = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`;

const PROVOCATIONS: readonly Provocation[] = [
  { title: "an empty object", code: "invalid_request", path: CE, body: {}, pointer: "/input" },
  { title: "a missing target", code: "invalid_request", path: CE, body: { input: TWO }, pointer: "/target" },
  {
    title: "an unknown option",
    code: "invalid_request",
    path: CE,
    body: { input: TWO, target: [0, 1], label_smoothin: 0.1 },
    pointer: "/label_smoothin",
  },
  {
    title: "an option of another operation",
    code: "invalid_request",
    path: NLL,
    body: { input: TWO, target: [0, 1], label_smoothing: 0.1 },
    pointer: "/label_smoothing",
  },
  {
    title: "a tensor that is text",
    code: "invalid_request",
    path: CE,
    body: { input: "abc", target: [0] },
    pointer: "/input",
  },
  {
    title: "a tensor that is true",
    code: "invalid_request",
    path: CE,
    body: { input: true, target: [0] },
    pointer: "/input",
  },
  {
    title: "a tensor that is null",
    code: "invalid_request",
    path: CE,
    body: { input: null, target: [0] },
    pointer: "/input",
  },
  {
    title: "an unknown dtype",
    code: "invalid_request",
    path: CE,
    body: { input: flat("float8", [1, 1], [1]), target: [0] },
    pointer: "/input/dtype",
  },
  {
    title: "a negative size",
    code: "invalid_request",
    path: LS,
    body: { input: flat("float32", [-1], [1]) },
    pointer: "/input/shape/0",
  },
  {
    title: "a fractional size",
    code: "invalid_request",
    path: LS,
    body: { input: flat("float32", [1.5], [1]) },
    pointer: "/input/shape/0",
  },
  {
    title: "a tensor object without a shape",
    code: "invalid_request",
    path: LS,
    body: { input: { data: [1] } },
    pointer: "/input/shape",
  },
  {
    title: "a tensor object without numbers",
    code: "invalid_request",
    path: LS,
    body: { input: { shape: [1] } },
    pointer: "/input",
  },
  {
    title: "a tensor object with data and base64",
    code: "invalid_request",
    path: LS,
    body: { input: { shape: [1], data: [1], base64: "AAAAAA==" } },
    pointer: "/input",
  },
  {
    title: "an unknown key in a tensor",
    code: "invalid_request",
    path: LS,
    body: { input: { shape: [1], data: [1], order: "C" } },
    pointer: "/input/order",
  },
  {
    title: "a float dim",
    code: "invalid_request",
    path: LS,
    body: { input: TWO, dim: 0.5 },
    pointer: "/dim",
  },
  {
    title: "a bool dim",
    code: "invalid_request",
    path: LS,
    body: { input: TWO, dim: true },
    pointer: "/dim",
  },
  {
    title: "a float ignore_index",
    code: "invalid_request",
    path: NLL,
    body: { input: TWO, target: [0, 1], ignore_index: 0.5 },
    pointer: "/ignore_index",
  },
  {
    title: "an ignore_index beyond 2^53",
    code: "invalid_request",
    path: NLL,
    body: '{"input":[[0,1]],"target":[0],"ignore_index":9007199254740993}',
    pointer: "/ignore_index",
  },
  {
    title: "a label_smoothing that is text",
    code: "invalid_request",
    path: CE,
    body: { input: TWO, target: [0, 1], label_smoothing: "lots" },
    pointer: "/label_smoothing",
  },
  {
    title: "a format that is none",
    code: "invalid_request",
    path: CE,
    body: { input: TWO, target: [0, 1], format: "csv" },
    pointer: "/format",
  },
  {
    title: "return_grad as 1",
    code: "invalid_request",
    path: CE,
    body: { input: TWO, target: [0, 1], return_grad: 1 },
    pointer: "/return_grad",
  },
  { title: "a body that is a list", code: "malformed_json", path: CE, body: "[1,2]" },
  { title: "a body that is text", code: "malformed_json", path: CE, body: "hello" },
  { title: "an empty body", code: "malformed_json", path: CE, body: "" },
  { title: "a body that ends early", code: "malformed_json", path: CE, body: '{"input":[[0,1]' },
  { title: "trailing garbage", code: "malformed_json", path: CE, body: '{"input":[[0,1]],"target":[0]} x' },
  { title: "a second object", code: "malformed_json", path: CE, body: '{"input":[[0,1]],"target":[0]}{}' },
  {
    title: "a byte-order mark",
    code: "malformed_json",
    path: CE,
    body: '\uFEFF{"input":[[0,1]],"target":[0]}',
  },
  {
    title: "a number with a leading 0",
    code: "malformed_json",
    path: CE,
    body: '{"input":[[00,1]],"target":[0]}',
  },
  { title: "a comma at the end", code: "malformed_json", path: CE, body: '{"input":[[0,1],],"target":[0]}' },
  {
    title: "a duplicate field",
    code: "duplicate_key",
    path: CE,
    body: '{"input":[[0,1]],"input":[[0,1]],"target":[0]}',
    pointer: "/input",
  },
  {
    title: "a duplicate dtype",
    code: "duplicate_key",
    path: LS,
    body: '{"input":{"dtype":"float32","dtype":"float64","shape":[1],"data":[1]}}',
    pointer: "/input/dtype",
  },
  {
    title: "33 levels",
    code: "too_deep",
    path: CE,
    body: `{"input":${'{"a":'.repeat(33)}1${"}".repeat(33)}}`,
  },
  {
    title: "a number of 2,000 digits",
    code: "number_too_long",
    path: LS,
    body: `{"input":[${"1".repeat(2000)}]}`,
  },
  {
    title: "32 KiB of options",
    code: "options_too_long",
    path: CE,
    body: { input: TWO, reduction: "x".repeat(32 * 1024) },
  },
  {
    title: "a short row",
    code: "ragged_tensor",
    path: CE,
    body: { input: [[0, 1], [2]], target: [0, 1] },
    pointer: "/input/1",
  },
  {
    title: "a number among rows",
    code: "ragged_tensor",
    path: CE,
    body: { input: [[0, 1], 2], target: [0, 1] },
    pointer: "/input/1",
  },
  {
    title: "a row among numbers",
    code: "ragged_tensor",
    path: CE,
    body: { input: [0, [1]], target: [0, 1] },
    pointer: "/input/1",
  },
  {
    title: "null among numbers",
    code: "invalid_element",
    path: CE,
    body: { input: [[0, null]], target: [0] },
    pointer: "/input/0/1",
  },
  {
    title: "an object among numbers",
    code: "invalid_element",
    path: CE,
    body: { input: [[0, {}]], target: [0] },
    pointer: "/input/0/1",
  },
  {
    title: "text among numbers",
    code: "invalid_element",
    path: CE,
    body: { input: [[0, "1"]], target: [0] },
    pointer: "/input/0/1",
  },
  {
    title: "a fraction as class index",
    code: "invalid_element",
    path: NLL,
    body: { input: TWO, target: [0, 0.5] },
    pointer: "/target/1",
  },
  {
    title: "NaN as class index",
    code: "invalid_element",
    path: NLL,
    body: { input: TWO, target: [0, "NaN"] },
    pointer: "/target/1",
  },
  {
    title: "a class index beyond 2^53",
    code: "invalid_element",
    path: NLL,
    body: '{"input":[[0,1],[2,3]],"target":[0,9007199254740993]}',
    pointer: "/target/1",
  },
  {
    title: "256 as uint8",
    code: "invalid_element",
    path: NLL,
    body: { input: TWO, target: flat("uint8", [2], [0, 256]) },
    pointer: "/target/data/1",
  },
  {
    title: "2^31 as int32",
    code: "invalid_element",
    path: NLL,
    body: { input: TWO, target: flat("int32", [2], [2 ** 31, 0]) },
    pointer: "/target/data/0",
  },
  {
    title: "base64 with a bad letter",
    code: "invalid_base64",
    path: LS,
    body: { input: { shape: [1], base64: "AA*AAA==" } },
    pointer: "/input/base64",
  },
  {
    title: "base64 without padding",
    code: "invalid_base64",
    path: LS,
    body: { input: { shape: [1], base64: "AAAAAA" } },
    pointer: "/input/base64",
  },
  {
    title: "9 nested levels",
    code: "rank_too_high",
    path: LS,
    body: `{"input":${deep(9)}}`,
    pointer: "/input",
  },
  {
    title: "9 sizes",
    code: "rank_too_high",
    path: LS,
    body: { input: flat("float32", [1, 1, 1, 1, 1, 1, 1, 1, 1], [1]) },
    pointer: "/input/shape",
  },
  {
    title: "too few elements",
    code: "shape_data_mismatch",
    path: LS,
    body: { input: flat("float32", [2, 2], [1, 2, 3]) },
    pointer: "/input/shape",
  },
  {
    title: "a product over 2^53",
    code: "shape_data_mismatch",
    path: LS,
    body: { input: flat("float32", [2 ** 31, 2 ** 31, 4], [1]) },
    pointer: "/input/shape",
  },
  {
    title: "180,000,000 losses of no logits",
    code: "output_too_large",
    path: CE,
    body: {
      input: flat("float32", [1, 0, 180_000_000], []),
      target: flat("float32", [1, 0, 180_000_000], []),
      reduction: "none",
    },
  },
  {
    title: "21,846 empty lists",
    code: "too_many_empty_lists",
    path: LS,
    body: { input: flat("float32", [21_846, 0], []), format: "nested" },
    pointer: "/format",
  },
  {
    title: "too few bytes",
    code: "shape_data_mismatch",
    path: LS,
    body: { input: { shape: [2], base64: "AAAAAA==" } },
    pointer: "/input/shape",
  },
  {
    title: "reduction avg",
    code: "invalid_reduction",
    path: NLL,
    body: { input: TWO, target: [0, 1], reduction: "avg" },
    pointer: "/reduction",
  },
  {
    title: "dim 2 of two dimensions",
    code: "dim_out_of_range",
    path: LS,
    body: { input: TWO, dim: 2 },
    pointer: "/dim",
  },
  {
    title: "label_smoothing 1.5",
    code: "option_out_of_range",
    path: CE,
    body: { input: TWO, target: [0, 1], label_smoothing: 1.5 },
    pointer: "/label_smoothing",
  },
  {
    title: "grad_output without return_grad",
    code: "option_without_effect",
    path: CE,
    body: { input: TWO, target: [0, 1], grad_output: 1 },
    pointer: "/grad_output",
  },
  {
    title: "return_grad_target of class indices",
    code: "option_not_applicable",
    path: CE,
    body: { input: TWO, target: [0, 1], return_grad_target: true },
    pointer: "/return_grad_target",
  },
  {
    title: "ignore_index 0 with probabilities",
    code: "option_not_applicable",
    path: CE,
    body: { input: TWO, target: TWO, ignore_index: 0 },
    pointer: "/ignore_index",
  },
  {
    title: "integer logits",
    code: "dtype_not_supported",
    path: CE,
    body: { input: flat("int64", [1, 2], [0, 1]), target: [0] },
    pointer: "/input",
  },
  {
    title: "one-hot rows of int64",
    code: "dtype_not_supported",
    path: CE,
    body: { input: TWO, target: flat("int64", [2, 2], [0, 1, 1, 0]) },
    pointer: "/target",
  },
  {
    title: "a float64 weight for float32 logits",
    code: "dtype_mismatch",
    path: CE,
    body: { input: TWO, target: [0, 1], weight: flat("float64", [2], [1, 1]) },
    pointer: "/weight",
  },
  {
    title: "one-hot rows for nll_loss",
    code: "shape_mismatch",
    path: NLL,
    body: {
      input: TWO,
      target: [
        [0, 1],
        [1, 0],
      ],
    },
    pointer: "/target",
  },
  {
    title: "a target of another batch",
    code: "shape_mismatch",
    path: CE,
    body: { input: TWO, target: [0, 1, 0] },
    pointer: "/target",
  },
  {
    title: "a weight of another length",
    code: "shape_mismatch",
    path: CE,
    body: { input: TWO, target: [0, 1], weight: [1, 2, 3] },
    pointer: "/weight",
  },
  {
    title: "grad_output of another shape",
    code: "shape_mismatch",
    path: CE,
    body: { input: TWO, target: [0, 1], return_grad: true, grad_output: [1] },
    pointer: "/grad_output",
  },
  {
    title: "class 2 of two",
    code: "target_out_of_bounds",
    path: CE,
    body: { input: TWO, target: [0, 2] },
    pointer: "/target/1",
  },
  {
    title: "class -1",
    code: "target_out_of_bounds",
    path: CE,
    body: { input: TWO, target: flat("int64", [2], [0, -1]) },
    pointer: "/target/data/1",
  },
  {
    title: "a class beyond the rows of an image",
    code: "target_out_of_bounds",
    path: CE,
    body: {
      input: flat("float32", [1, 2, 2, 2], Array(8).fill(0)),
      target: [
        [
          [0, 1],
          [1, 7],
        ],
      ],
    },
    pointer: "/target/0/1/1",
  },
  {
    title: "return_grad of reduction none without grad_output",
    code: "grad_output_required",
    path: CE,
    body: { input: TWO, target: [0, 1], reduction: "none", return_grad: true },
    pointer: "/grad_output",
  },
];

const seen = new Set<ProblemCode>();

function expectProblem(answer: Answer, code: ProblemCode, pointer?: string): void {
  expect(answer.json?.code, answer.text).toBe(code);
  expect(answer.status).toBe(PROBLEMS[code].status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json.type).toBe(`urn:lossd:problem:${code}`);
  expect(answer.json.title).toBe(PROBLEMS[code].title);
  expect(answer.json.status).toBe(answer.status);
  expect(answer.json.request_id).toBe(answer.headers["x-request-id"]);
  expect(answer.json.errors?.[0]?.pointer).toBe(pointer);
  seen.add(code);
}

describe("refusals", () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ bodyLimit: 1024 * 1024, memoryBudget: 8 * 1024 * 1024 });
  });
  afterAll(() => service.close());

  it.each(PROVOCATIONS.map((row) => [row.title, row] as const))("%s", async (_title, row) => {
    expectProblem(await service.post(row.path, row.body), row.code, row.pointer);
  });

  it("invalid UTF-8 is malformed_json", async () => {
    const body = Buffer.from('{"input":[[0,1]],"target":[0],"reduction":"me\xffan"}', "latin1");
    expectProblem(
      await service.send("POST", CE, body, { "content-type": "application/json" }),
      "malformed_json",
    );
  });

  it("a body over BODY_LIMIT is body_too_large, by Content-Length or as it comes", async () => {
    const body = `{"input":[${"0,".repeat(600_000)}0],"dim":0}`;
    expectProblem(await service.post(LS, body), "body_too_large");
    async function* chunks() {
      for (let at = 0; at < body.length; at += 65_536) yield Buffer.from(body.slice(at, at + 65_536));
    }
    expectProblem(
      await service.send("POST", LS, chunks(), { "content-type": "application/json" }),
      "body_too_large",
    );
  });

  it("a body without length is length_required", async () => {
    expectProblem(
      await rawRequest(
        service,
        `POST ${CE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n`,
      ),
      "length_required",
    );
  });

  it.each([
    "text/plain",
    "application/xml",
    "application/jsonx",
    "application/json;",
    "application/json; charset=latin1",
    "application /json",
    "application/json\t; charset=utf-8",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-8; x=y",
    "application/json, text/plain",
  ])("Content-Type %j is unsupported_media_type", async (type) => {
    expectProblem(await service.send("POST", CE, "{}", { "content-type": type }), "unsupported_media_type");
  });

  it.each([
    [
      "application/json; charset=utf8",
      "application/json without parameters, or with exactly ; charset=utf-8",
    ],
    ["application/json;", "application/json without parameters, or with exactly ; charset=utf-8"],
    ["application/json ; boundary=x", "application/json without parameters, or with exactly ; charset=utf-8"],
    ["application/vnd.safetensors; charset=utf-8", "application/vnd.safetensors without parameters"],
    ["application/x-safetensors;v=1", "application/x-safetensors without parameters"],
  ])("the detail of Content-Type %j names its parameters", async (type, expected) => {
    const answer = await service.send("POST", CE, "{}", { "content-type": type });
    expectProblem(answer, "unsupported_media_type");
    expect(answer.json.detail).toBe(`expected Content-Type ${expected}, got ${type}`);
  });

  it("no Content-Type is unsupported_media_type", async () => {
    expectProblem(await service.send("POST", CE, "{}"), "unsupported_media_type");
  });

  it.each([
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
  ])("Content-Type %j is read", async (type) => {
    const answer = await service.send("POST", CE, '{"input":[[0,1]],"target":[0]}', { "content-type": type });
    expect(answer.status, answer.text).toBe(200);
  });

  it.each(["br", "compress", "x-unknown", "gzip, gzip", "identity, gzip", "gzip;q=1", "x-zstd"])(
    "Content-Encoding %s is unsupported_content_encoding, and Accept-Encoding lists gzip, deflate and zstd",
    async (encoding) => {
      const answer = await service.post(CE, "{}", { "content-encoding": encoding });
      expectProblem(answer, "unsupported_content_encoding");
      expect(answer.headers["accept-encoding"]).toBe("gzip, deflate, zstd");
    },
  );

  it.each(["identity", "Identity", " ", ""])(
    "Content-Encoding %j leaves a body as it is",
    async (encoding) => {
      const body = { input: TWO, target: [0, 1] };
      expect((await service.post(CE, body, { "content-encoding": encoding })).status).toBe(200);
    },
  );

  it("the detail of a gzip body without Content-Encoding, and of UTF-16, tells what to send", async () => {
    const type = { "content-type": "application/json" };
    for (const [body, remedy] of [
      [gzipSync('{"input":[[0,1]],"target":[0]}'), "send a gzip body with Content-Encoding: gzip"],
      [Buffer.from('\uFEFF{"input":[[0,1]],"target":[0]}', "utf16le"), "send UTF-8, not UTF-16"],
    ] as const) {
      const answer = await service.send("POST", CE, body, type);
      expectProblem(answer, "malformed_json");
      expect(answer.json.detail).toContain(`; ${remedy}`);
    }
  });

  it("a body that is not gzip is malformed_content_encoding", async () => {
    const answer = await service.post(CE, "{}", { "content-encoding": "gzip" });
    expectProblem(answer, "malformed_content_encoding");
    expect(answer.json.detail).toBe("the body is not gzip: incorrect header check");
  });

  it.each([
    "text/html",
    "text/html; charset=utf-8",
    "application/jsonx",
    "application/json;q=0",
    "application/json; charset=utf-8; q=0",
    "image/*",
    ",",
  ])("Accept: %s is not_acceptable", async (accept) => {
    expectProblem(await service.post(CE, { input: TWO, target: [0, 1] }, { accept }), "not_acceptable");
  });

  it.each([
    "*/*",
    "application/*",
    "text/html, application/json;q=0.1",
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON;Charset=UTF-8",
    'application/json; charset="utf-8"; q=0.5',
    'application/json; profile="a,b;q=0 \\" c"; q=0.5',
    "application/vnd.safetensors;v=1;q=0.1, application/json ; indent=2 ; q=0.2",
    "",
    " ",
  ])(
    "Accept: %j is answered in JSON, for the body's own type or the range's, whatever its parameters",
    async (accept) => {
      const answer = await service.post(CE, { input: TWO, target: [0, 1] }, { accept });
      expect(answer.headers["content-type"]).toContain("application/json");
    },
  );

  it("Accept over 1024 characters loses whole ranges at its end, and no quality of 0", async () => {
    const body = { input: TWO, target: [0, 1] };
    const types = async (begin: string) => {
      const accept = `${begin}, a/${"x".repeat(1024 - begin.length - 22)}, application/json;q=0`;
      return (await service.post(CE, body, { accept })).headers["content-type"];
    };
    expect(await types("application/vnd.safetensors;q=0.5")).toBe("application/vnd.safetensors");
    const long = { accept: `application/json;profile="${"x".repeat(2000)}"` };
    expect((await service.post(CE, body, long)).headers["content-type"]).toContain("application/json");
  });

  it("a safetensors file is refused by its own rules", async () => {
    const send = (body: Buffer) =>
      service.send("POST", CE, body, { "content-type": "application/vnd.safetensors" });
    expectProblem(await send(Buffer.from("not a file of tensors")), "malformed_safetensors");
    expectProblem(await send(Buffer.from("short")), "malformed_safetensors");
    const long = Buffer.alloc(2_000_000, " ");
    long.writeBigUInt64LE(1_900_000n);
    expectProblem(await send(long), "safetensors_header_too_large");
    const entry = { dtype: "F32", shape: [1], data_offsets: [4, 8] };
    const hole = await send(Buffer.concat([fileBegin({ input: entry }), Buffer.alloc(8)]));
    expectProblem(hole, "invalid_safetensors", "/input/data_offsets");
  });

  it("an option in the query string is unknown_query_parameter", async () => {
    const answer = await service.post(`${CE}?reduction=sum`, { input: TWO, target: [0, 1] });
    expectProblem(answer, "unknown_query_parameter");
    expect(answer.json.detail).toContain("reduction");
  });

  it("an unknown path is not_found", async () => {
    const unknown = await service.get("/v1/mse_loss");
    expectProblem(unknown, "not_found");
    expect(unknown.json.detail).toContain("nothing is at /v1/mse_loss; ");
    expectProblem(await service.post("/v1/cross_entropy/", {}), "not_found");
  });

  it("another method is method_not_allowed, with Allow", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const answer = await service.send(method, CE);
      expectProblem(answer, "method_not_allowed");
      expect(answer.headers.allow).toBe("POST, OPTIONS");
    }
    const answer = await service.send("POST", "/health/live", "{}", { "content-type": "application/json" });
    expectProblem(answer, "method_not_allowed");
    expect(answer.headers.allow).toBe("GET, HEAD, OPTIONS");
  });

  it("a path that cannot be decoded is malformed_request", async () => {
    expectProblem(await service.get("/%zz"), "malformed_request");
  });

  it("bytes that are no HTTP are malformed_request", async () => {
    expectProblem(await rawRequest(service, "NONSENSE\r\n\r\n"), "malformed_request");
  });

  it("headers over 16 KiB are headers_too_large", async () => {
    expectProblem(
      await rawRequest(service, `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`),
      "headers_too_large",
    );
  });

  it("headers that do not arrive are request_timeout", async () => {
    const { server } = service;
    expect(server.headersTimeout).toBe(HEADERS_TIMEOUT_MS);
    server.headersTimeout = 100;
    expectProblem(await rawRequest(service, "GET / HTTP/1.1\r\nhost: x\r\n"), "request_timeout");
    server.headersTimeout = HEADERS_TIMEOUT_MS;
  });

  it("no free memory is overloaded, with Retry-After, and the memory comes back", async () => {
    const holds = [service.arena.reserve(service.arena.largest - 1_000_000)];
    const left = () => service.arena.capacity - service.arena.reserved;
    while (left() > 100_000) holds.push(service.arena.reserve(Math.min(300_000, left() - 90_000)));
    const answer = await service.post(CE, { input: TWO, target: [0, 1], reduction: "x".repeat(20_000) });
    expectProblem(answer, "overloaded");
    expect(answer.headers["retry-after"]).toBe("1");
    for (const hold of holds) hold.release();
    expect((await service.post(CE, { input: TWO, target: [0, 1] })).status).toBe(200);
  });

  it("at most 64 characters of the client's input are repeated", async () => {
    const long = "q".repeat(500);
    for (const answer of [
      await service.post(CE, { input: TWO, target: [0, 1], [long]: 1 }),
      await service.post(CE, { input: TWO, target: [0, 1], reduction: long }),
      await service.post(`${CE}?${long}=1`, { input: TWO, target: [0, 1] }),
      await service.get(`/${long}`),
      await service.send("POST", CE, "{}", { "content-type": long }),
    ]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain("q".repeat(65));
    }
  });

  it("returns every reserved byte, whatever was refused", async () => {
    await expect.poll(() => service.arena.reserved).toBe(0);
  });

  it("every code of the table was provoked but internal_error (test/http/server/failure.test.ts) and two (test/http/server/hardening.test.ts)", () => {
    const missing = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => !seen.has(code));
    expect(missing.sort()).toEqual(["expectation_failed", "internal_error", "unauthorized"]);
  });
});

/** Sends bytes as they are and reads the answer until the server closes. */
async function rawRequest(service: Service, bytes: string): Promise<Answer> {
  const { status, headers, body } = parseResponse(await exchange(service, bytes))!;
  return { status, headers, bytes: Buffer.from(body), text: body, json: JSON.parse(body) };
}
