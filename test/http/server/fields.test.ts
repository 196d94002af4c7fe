/** Fields that nobody knows are named before those that are missing, with what was probably meant. */
import { describe, expect, it } from "vitest";
import { nearest } from "../../../src/user-error.ts";
import { useService } from "../../support/service.ts";

const service = useService();
const CE = "/v1/cross_entropy";
const FIELDS =
  "input, target, weight, sample_weight, ignore_index, reduction, size_average, reduce, dim, shift, dtype, return_grad, grad_output, format, non_finite, label_smoothing, temperature, softcap, lse_square_scale, return_z_loss, return_predictions, return_correct, target_weight, return_grad_target_weight, return_grad_target";

const refuse = async (body: unknown) => {
  const { json } = await service().post(CE, body);
  expect(json.code).toBe("invalid_request");
  return json;
};
const faults = async (body: unknown): Promise<string[]> =>
  (await refuse(body)).errors.map(
    ({ pointer, detail }: { pointer: string; detail: string }) => `${pointer}: ${detail}`,
  );

describe("nearest", () => {
  it.each([
    ["taget", "target"],
    ["TARGET", undefined],
    ["tarteg", "target"],
    ["returnGrad", "return_grad"],
    ["labels", undefined],
    ["di", "dim"],
    ["x", undefined],
    ["", undefined],
  ])("of %j is %j", (name, meant) => {
    expect(nearest(name, ["input", "target", "return_grad", "dim", ""])).toBe(meant);
  });

  it("is the one that differs least", () => {
    expect(nearest("reduces", ["reduction", "reducer", "reduce"])).toBe("reducer");
    expect(nearest("reduc", ["reducer", "reduce"])).toBe("reduce");
  });
});

it("a misspelt field comes first, then what is missing for it", async () => {
  const { detail } = await refuse({ input: [[1, 2]], taget: [0] });
  expect(detail).toBe("/taget: unknown field; did you mean target? (and 1 more error)");
  expect(await faults({ input: [[1, 2]], taget: [0] })).toEqual([
    "/taget: unknown field; did you mean target?",
    "/target: required, but missing",
  ]);
});

it("all unknown fields are named, with those of the operation once, where none is near", async () => {
  const body = { input: [[1, 2]], target: [0], lables: 1, redution: "sum", "a/b": 1 };
  expect(await faults(body)).toEqual([
    `/lables: unknown field; expected ${FIELDS}`,
    "/redution: unknown field; did you mean reduction?",
    "/a~1b: unknown field",
  ]);
});

it("a misspelt member of a tensor is found in its place", async () => {
  expect(await faults({ input: { shap: [1], data: [1] }, target: 0 })).toEqual([
    "/input/shap: unknown field; did you mean shape?",
    "/input/shape: required, but missing",
  ]);
});

it("of 4,000 unknown fields at most 10 are named, and 64 characters of them in all", async () => {
  const names = Array.from({ length: 4000 }, (_, at) => at.toString(36).padStart(3, "_"));
  const many = await refuse(Object.fromEntries(names.slice(0, 1700).map((name) => [name, 1])));
  expect(many.errors).toHaveLength(10);
  expect(many.detail).toMatch(/ \(and 1701 more errors\)$/);
  expect(many.errors.slice(-2).map(({ pointer }: { pointer: string }) => pointer)).toEqual([
    "/input",
    "/target",
  ]);
  const long = await refuse(Object.fromEntries(["q", "r", "s"].map((letter) => [letter.repeat(40), 1])));
  expect(long.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
    `/${"q".repeat(40)}`,
    `/${"r".repeat(24)}...`,
    "/input",
    "/target",
  ]);
});

it("options of a safetensors body are refused in the same words", async () => {
  const header = Buffer.from(
    '{"input":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"target":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}',
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const send = (query: string, body: Buffer) =>
    service().send("POST", `${CE}?${query}`, body, { "content-type": "application/vnd.safetensors" });
  const { json } = await send("redution=sum", Buffer.concat([length, header, Buffer.alloc(5)]));
  expect(json.detail).toBe("/redution: unknown field; did you mean reduction?");
  const misnamed = Buffer.from(header.toString().replace("target", "tarjet"));
  const { json: tensor } = await send("", Buffer.concat([length, misnamed, Buffer.alloc(5)]));
  expect(tensor.detail).toBe("/tarjet: unknown tensor; did you mean target?");
});

it("parameters of an inference request are refused in the same words, at their place", async () => {
  const input = { name: "input", shape: [1, 1], datatype: "FP32", data: [0] };
  const infer = async (parameters: object) =>
    (await service().post("/v2/models/cross_entropy/infer", { inputs: [input], parameters })).json.error;
  expect(await infer({ redution: "sum" })).toBe(
    "/parameters/redution: unknown field; did you mean reduction? (and 1 more error)",
  );
  expect(await infer({ targt: 1 })).toMatch(/^\/parameters\/targt: unknown field; expected ignore_index, /);
});

it.each([
  [{ return_grad: 1 }, "/return_grad: expected true or false"],
  [{ ignore_index: 0.5 }, "/ignore_index: expected an integer"],
  [{ ignore_index: 1e300 }, "/ignore_index: expected at most 9007199254740992"],
  [{ reduction: 1 }, "/reduction: expected a text"],
  [{ format: "csv" }, '/format: expected one of nested, flat, base64, got "csv"'],
  [{ format: "x".repeat(99) }, `/format: expected one of nested, flat, base64, got "${"x".repeat(64)}..."`],
])("%j: %s", async (option, detail) => {
  expect((await refuse({ input: [[1, 2]], target: [0], ...option })).detail).toBe(detail);
});
