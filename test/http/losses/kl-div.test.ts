/** kl_div beyond PyTorch's cases: what is refused and where, defaults that clients send, bodies that stream. */
import { describe, expect, it } from "vitest";
import { klDiv } from "../../../src/runtimes/node.ts";
import { readTestFile, tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const service = useService();
const PATH = "/v1/kl_div";
const OPERANDS = { input: [[-0.5, -1]], target: [[0.25, 0.75]] };
const integers = { dtype: "int64", shape: [1, 2], data: [0, 1] };

describe("refuses with 422 and the pointer to the field", () => {
  it.each([
    ["an unknown reduction", { reduction: "batch_mean" }, "invalid_reduction", "/reduction"],
    ["dim without from_logits", { dim: -1 }, "option_without_effect", "/dim"],
    ["temperature without from_logits", { temperature: 1 }, "option_without_effect", "/temperature"],
    [
      "log_target with from_logits",
      { from_logits: true, log_target: true },
      "option_without_effect",
      "/log_target",
    ],
    ["dim beyond the rank", { from_logits: true, dim: 2 }, "dim_out_of_range", "/dim"],
    ["dim below the rank", { from_logits: true, dim: -3 }, "dim_out_of_range", "/dim"],
    ["a fraction as dim", { from_logits: true, dim: 0.5 }, "invalid_request", "/dim"],
    ["a temperature of 0", { from_logits: true, temperature: 0 }, "option_out_of_range", "/temperature"],
    ["a negative temperature", { from_logits: true, temperature: -1 }, "option_out_of_range", "/temperature"],
    ["NaN as temperature", { from_logits: true, temperature: "NaN" }, "option_out_of_range", "/temperature"],
    ["a number as log_target", { log_target: 1 }, "invalid_request", "/log_target"],
    ["a text as from_logits", { from_logits: "yes" }, "invalid_request", "/from_logits"],
    ["a number as return_grad_target", { return_grad_target: 0 }, "invalid_request", "/return_grad_target"],
    ["grad_output without a gradient", { grad_output: 1 }, "option_without_effect", "/grad_output"],
    [
      "grad_output of another shape",
      { return_grad_target: true, grad_output: [1] },
      "shape_mismatch",
      "/grad_output",
    ],
    [
      "no grad_output for several losses",
      { return_grad_target: true, reduction: "none" },
      "grad_output_required",
      "/grad_output",
    ],
    ["an integer input", { input: integers }, "dtype_not_supported", "/input"],
    ["an integer target", { target: integers }, "dtype_not_supported", "/target"],
    ["a word in the target", { target: [["cat", 1]] }, "invalid_element", "/target/0/0"],
    ["weight", { weight: [1, 1] }, "invalid_request", "/weight"],
    ["ignore_index", { ignore_index: -100 }, "invalid_request", "/ignore_index"],
  ])("%s", async (_title, fields, code, pointer) => {
    const { status, json, text } = await service().post(PATH, { ...OPERANDS, ...fields });
    expect([status, json.code, json.errors?.[0].pointer], text).toEqual([422, code, pointer]);
  });

  // Which of them PyTorch 2.15 broadcasts was asked of it.
  it.each([
    [[2], true],
    [[1, 1], true],
    [[], true],
    [[2, 2], true],
    [[1, 2, 1], true],
    [[0, 2], true],
    [[3], false],
    [[1, 3], false],
    [[2, 1, 0], false],
  ])(
    "a target of shape %j for an input of shape [1, 2], which PyTorch broadcasts: %s",
    async (shape, doesBroadcast) => {
      const data = Array(shape.reduce((count, size) => count * size, 1)).fill(0.5);
      const { status, json } = await service().post(PATH, { ...OPERANDS, target: { shape, data } });
      const { pointer, detail } = json.errors[0];
      expect([status, json.code, pointer]).toEqual([422, "shape_mismatch", "/target"]);
      expect(detail.includes("PyTorch broadcasts the two")).toBe(doesBroadcast);
    },
  );
});

it("takes the defaults as if they were left out, with and without from_logits", async () => {
  const defaults = {
    reduction: "mean",
    log_target: false,
    from_logits: false,
    dim: null,
    temperature: null,
    return_grad: false,
    return_grad_target: false,
  };
  const plain = await service().post(PATH, OPERANDS);
  expect((await service().post(PATH, { ...OPERANDS, ...defaults })).text).toBe(plain.text);
  const logits = await service().post(PATH, { ...OPERANDS, from_logits: true });
  const spelt = { ...OPERANDS, ...defaults, from_logits: true, dim: -1, temperature: 1 };
  expect((await service().post(PATH, spelt)).text).toBe(logits.text);
});

it("warns in PyTorch's words of the mean, and of a mean over no elements, but not of batchmean", async () => {
  const MEAN = /^reduction: 'mean' divides the total loss by both the batch size and the support size\./;
  expect((await service().post(PATH, OPERANDS)).json.warnings).toEqual([expect.stringMatching(MEAN)]);
  const { json } = await service().post(PATH, { ...OPERANDS, reduction: "batchmean" });
  expect(json.warnings).toBeUndefined();
  const empty = { shape: [0, 3], data: [] };
  for (const reduction of ["mean", "batchmean"]) {
    const { json } = await service().post(PATH, { input: empty, target: empty, reduction });
    expect([json.loss, json.warnings.at(-1)]).toEqual([
      "NaN",
      "the mean over no elements is 0/0 = NaN, as in PyTorch",
    ]);
  }
});

it("gives the library's bits", async () => {
  const data = [0.5, -1, 2, 0, 3, -0.25];
  const input = { dtype: "float32", shape: [2, 3], data: Float32Array.from(data) } as const;
  const target = { ...input, data: Float32Array.from(data.toReversed()) } as const;
  const options = { fromLogits: true, temperature: 3, returnGrad: true, returnGradTarget: true };
  const got = klDiv(input, target, options);
  const { json } = await service().post(PATH, {
    input: { dtype: "float32", shape: [2, 3], data },
    target: { dtype: "float32", shape: [2, 3], data: data.toReversed() },
    from_logits: true,
    temperature: 3,
    return_grad: true,
    return_grad_target: true,
  });
  expect(Math.fround(json.loss)).toBe(got.loss);
  expect(json.grad_input.data.map(Math.fround)).toEqual([...got.gradInput!.data]);
  expect(json.grad_target.data.map(Math.fround)).toEqual([...got.gradTarget!.data]);
});

describe("a safetensors body of several windows", () => {
  const limited = useService({ bodyLimit: 700_000 });
  const FILE = "application/vnd.safetensors";
  const F32 = ["float32", "float32"] as const;
  const BF16 = ["bfloat16", "bfloat16"] as const;
  const BOTH = "return_grad=true&return_grad_target=true";
  const wave = (at: number): number => -Math.abs(Math.sin(at * 12.9898) * 5) - 0.01;
  const send = (to: typeof service, query: string, body: Buffer) =>
    to().send("POST", `${PATH}?${query}`, body, { "content-type": FILE });
  const fileOf = (
    shape: number[],
    [xDType, tDType]: readonly [string, string],
    isLog: boolean,
    first: "input" | "target" = "target",
  ): Buffer => {
    const input = tensor(xDType, shape, wave);
    const target = tensor(tDType, shape, (at) => (isLog ? wave(at + 1) : (at % 7) / 7));
    return writeTestFile(first === "input" ? { input, target } : { target, input }, { asTheyStand: true });
  };

  it.each([
    ["sum of probabilities", "reduction=sum", F32],
    ["mean with the gradient", "return_grad=true", F32],
    ["batchmean with both gradients", `reduction=batchmean&${BOTH}`, F32],
    ["log-probabilities with both gradients", `log_target=true&${BOTH}`, BF16],
    ["logits with both gradients", `from_logits=true&temperature=2&${BOTH}`, F32],
    ["logits of two dtypes", "from_logits=true&return_grad_target=true", ["float32", "float16"]],
    ["a narrower target with both gradients", BOTH, ["float32", "bfloat16"]],
    ["a wider target with both gradients", `${BOTH}&from_logits=true`, ["bfloat16", "float32"]],
    ["logits along the middle dimension", `from_logits=true&dim=1&${BOTH}`, F32],
    ["logits along the first dimension", "from_logits=true&dim=0&reduction=sum", F32],
  ] as const)("gives the bits of one in memory: %s", async (_title, query, dtypes) => {
    const shape = [dtypes === BF16 ? 6 : 3, 5, 10_000];
    const isLog = query.includes("log");
    const whole = await send(service, query, fileOf(shape, dtypes, isLog, "input"));
    const streamed = await send(limited, query, fileOf(shape, dtypes, isLog));
    expect([whole.status, streamed.status], streamed.text).toEqual([200, 200]);
    const { tensors } = readTestFile(whole.bytes);
    expect(Object.keys(tensors)).toContain("loss");
    expect(readTestFile(streamed.bytes).tensors).toEqual(tensors);
  });

  it("must be in memory if the target comes last", async () => {
    const { status, json } = await send(limited, "reduction=sum", fileOf([30, 10_000], F32, false, "input"));
    expect([status, json.code]).toEqual([413, "body_too_large"]);
    expect(json.detail).toContain("it would stream with target before input");
  });

  it("is refused before its end if the shapes differ", async () => {
    const body = writeTestFile(
      { target: tensor("float32", [3], wave), input: tensor("float32", [100_000, 3], wave) },
      { asTheyStand: true },
    );
    const { status, json } = await send(limited, "reduction=sum", body);
    expect([status, json.errors[0].pointer]).toEqual([422, "/target"]);
  });
});
