/** Shapes cost no bytes to send, so the response to a request without elements is small, whatever its shapes are. */
import { describe, expect, it } from "vitest";
import { fileTensor, writeTestFile } from "../../conformance/files.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import type { Answer } from "../../support/service.ts";
import { useService } from "../../support/service.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
/** Bytes that outputs and empty lists may take without any tensor's bytes, as docs/problems.md says. */
const FREE_BYTES = 64 * KiB;
const SIZES = [0, 1, 2, 1000, 1_000_000];
const MAX_RANK = 4;

const service = useService();

function shapesOf(rank: number): number[][] {
  if (rank === 0) return [[]];
  return shapesOf(rank - 1).flatMap((shape) => SIZES.map((size) => [...shape, size]));
}

/** All shapes with a size of 0. */
const SHAPES = Array.from({ length: MAX_RANK }, (_, at) => shapesOf(at + 1))
  .flat()
  .filter((shape) => shape.includes(0));

const product = (sizes: readonly number[]): number => sizes.reduce((left, right) => left * right, 1);

/** Bytes of a tensor without elements as JSON.stringify writes it, counted from the innermost list outwards. */
function nestedBytes([size, ...rest]: readonly number[]): number {
  return size === undefined || size === 0 ? 2 : 2 + size * nestedBytes(rest) + size - 1;
}

/** The nested lists of a small shape. */
function nested([size, ...rest]: readonly number[]): unknown[] {
  return Array.from({ length: size! }, () => nested(rest));
}

interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: number[];
}
type Fields = Readonly<Record<string, unknown>>;
const none = (shape: readonly number[], dtype = "float32"): Tensor => ({ dtype, shape, data: [] });

interface Case {
  readonly operation: string;
  readonly fields: Fields;
}

/** Requests without elements whose outputs are as many as there can be. */
function casesOf(shape: readonly number[]): Case[] {
  const half = none(shape, "float16");
  const positions = shape.toSpliced(Math.min(1, shape.length - 1), 1);
  const options = { reduction: "none", return_grad: true, grad_output: none(positions, "float16") };
  const cases: Case[] = shape.map((_, dim) => ({
    operation: "log_softmax",
    fields: { input: half, dim, return_lse: true, return_entropy: true },
  }));
  cases.push({
    operation: "log_softmax",
    fields: { input: half, dim: 0, return_grad: true, grad_output: half },
  });
  cases.push({
    operation: "cross_entropy",
    fields: { input: half, target: half, ...options, lse_square_scale: 0.5, return_z_loss: true },
  });
  cases.push({ operation: "kl_div", fields: { input: half, target: half, reduction: "none" } });
  if (product(positions) === 0) {
    const target = none(positions, "int64");
    cases.push({ operation: "nll_loss", fields: { input: half, target, ...options } });
  }
  return cases;
}

const FORMATS: readonly (readonly [string, (asked: Case) => Promise<Answer>])[] = [
  ...["nested", "flat", "base64"].map((format): [string, (asked: Case) => Promise<Answer>] => [
    `JSON, ${format}`,
    ({ operation, fields }) => service().post(`/v1/${operation}`, { ...fields, format }),
  ]),
  [
    "a file, and nested JSON back",
    ({ operation, fields }) => {
      const isTensor = (value: unknown): value is Tensor => value !== null && typeof value === "object";
      const given = Object.entries(fields);
      const tensors = given.flatMap(([name, value]) => (isTensor(value) ? [[name, fileTensor(value)]] : []));
      const options = given.flatMap(([name, value]) => (isTensor(value) ? [] : [[name, String(value)]]));
      const file = writeTestFile(Object.fromEntries(tensors), { metadata: Object.fromEntries(options) });
      const headers = { "content-type": "application/vnd.safetensors", accept: "application/json" };
      return service().send("POST", `/v1/${operation}`, file, headers);
    },
  ],
  ...[false, true].map((binary): [string, (asked: Case) => Promise<Answer>] => [
    binary ? "/v2 with bytes" : "/v2 with JSON",
    ({ operation, fields }) => {
      const { headers, body } = inferenceCall(fields, binary);
      return service().send("POST", `/v2/models/${operation}/infer`, body, headers);
    },
  ]),
];

describe.each(FORMATS)(
  `the response to each of ${SHAPES.length} shapes with a size of 0, in %s`,
  (_format, ask) => {
    it.each(Array.from({ length: MAX_RANK }, (_, at) => at + 1))(
      "is at most 1 MiB, or an error that names a field, at rank %i",
      async (rank) => {
        const answered: string[] = [];
        for (const shape of SHAPES.filter((each) => each.length === rank)) {
          for (const asked of casesOf(shape)) {
            const { status, json, bytes } = await ask(asked);
            const title = JSON.stringify(asked);
            expect(bytes.length, title).toBeLessThan(MiB);
            if (status === 200) answered.push(asked.operation);
            else {
              expect(status, title).toBe(422);
              expect(json.detail ?? json.error, title).toMatch(
                /\/(input|target|format|shape|grad_output|dim)|outputs \(\w/,
              );
            }
          }
        }
        expect(answered.length).toBeGreaterThan(4 ** (rank - 1));
        // No class index or gradient has the shape of a scalar without an element.
        expect(new Set(answered).size).toBe(rank === 1 ? 2 : 4);
      },
      60_000,
    );
  },
);

describe("log_softmax with nested lists", () => {
  it("is answered up to 64 KiB of brackets and commas of all levels, and refused beyond", async () => {
    for (const shape of SHAPES) {
      const body = { input: none(shape), dim: 0, format: "nested" };
      const { status, text, json } = await service().post("/v1/log_softmax", body);
      const bytes = nestedBytes(shape);
      if (product(shape.map((size) => Math.max(size, 1))) >= 2 ** 32) expect(status).toBe(422);
      else if (bytes <= FREE_BYTES) {
        expect([status, text]).toEqual([200, `{"output":${JSON.stringify(nested(shape))}}`]);
        expect(text).toHaveLength('{"output":}'.length + bytes);
      } else {
        expect([status, json.code]).toEqual([422, "too_many_empty_lists"]);
        expect(json.errors[0].detail).toContain(`the empty lists of output take ${bytes} bytes`);
      }
    }
  });

  it("counts the lists of all outputs together", async () => {
    const shape = [15_000, 0];
    const input = none(shape);
    const once = await service().post("/v1/log_softmax", { input, dim: 1, format: "nested" });
    const twice = await service().post("/v1/log_softmax", {
      input,
      dim: 1,
      format: "nested",
      return_grad: true,
      grad_output: input,
    });
    expect([once.status, twice.status]).toEqual([200, 422]);
    expect(twice.json.detail).toContain("the empty lists of output, grad_input take 90002 bytes");
  });

  it("counts every level of eight", async () => {
    const input = none([10_000, 1, 1, 1, 1, 1, 1, 0]);
    const { status, json } = await service().post("/v1/log_softmax", { input, dim: 7, format: "nested" });
    expect([status, json.code]).toEqual([422, "too_many_empty_lists"]);
  });

  it("may take 8 bytes more for each byte of the lists in the request", async () => {
    for (const rows of [30_000, 100_000]) {
      const input = nested([rows, 0]);
      const asked = { input, grad_output: input, dim: 1, return_grad: true, return_lse: true };
      const { status, text, json } = await service().post("/v1/log_softmax", asked);
      expect(status, text.slice(0, 300)).toBe(200);
      expect([json.output.length, json.grad_input.length, json.lse.length]).toEqual([rows, rows, rows]);
    }
  });

  it("may take 8 bytes more for each byte of the tensors", async () => {
    const rows = 200_000;
    const target = { dtype: "uint8", shape: [rows], base64: Buffer.alloc(rows, 1).toString("base64") };
    const input = none([rows, 0]);
    const asked = { input, target, ignore_index: 1, return_grad: true, format: "nested" };
    const { status, json } = await service().post("/v1/nll_loss", asked);
    expect([status, json.grad_input?.length]).toEqual([200, rows]);
  });
});
