/** The package for callers in the same process, through its public name. */

import { runInNewContext } from "node:vm";
import type { ArrayTensor, FloatDType } from "lossd";
import * as lossd from "lossd";
import { crossEntropy, klDiv, LossError, logSoftmax, nllLoss } from "lossd";
import { describe, expect, expectTypeOf, it } from "vitest";

const input = { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 0, 0, 0) } as const;
const target = { dtype: "int64", shape: [2], data: BigInt64Array.of(2n, 0n) } as const;
const NONE = { reduction: "none" } as const;

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("import from lossd", () => {
  it("exports exactly its public names", () => {
    expect(Object.keys(lossd).sort()).toEqual([
      "LossError",
      "crossEntropy",
      "init",
      "initSync",
      "klDiv",
      "logSoftmax",
      "nllLoss",
    ]);
  });

  it("computes a loss and its gradient and leaves the operands alone", () => {
    const before = [...input.data];
    const { loss, totalWeight, gradInput, warnings } = crossEntropy(input, target, { returnGrad: true });
    expect(loss).toBeCloseTo((0.40760597 + Math.log(3)) / 2, 6);
    expect(totalWeight).toBe(2);
    expect(gradInput).toMatchObject({ dtype: "float32", shape: [2, 3] });
    expect(gradInput!.data[5]).toBeCloseTo(1 / 6, 6);
    expect(warnings).toEqual([]);
    expect([...input.data]).toEqual(before);
  });

  it("is nllLoss of logSoftmax", () => {
    const { output } = logSoftmax(input, { dim: 1 });
    expect(nllLoss(output, target).loss).toBe(crossEntropy(input, target).loss);
  });

  it("computes a divergence from probabilities, log-probabilities and logits", () => {
    const p = { dtype: "float64", shape: [1, 2], data: Float64Array.of(0.25, 0.75) } as const;
    const logs = { ...p, data: p.data.map(Math.log) };
    const half = { ...p, data: Float64Array.of(Math.log(0.5), Math.log(0.5)) };
    const want = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
    const options = { reduction: "batchmean" };
    expect(klDiv(half, p, options)).toEqual({ loss: expect.closeTo(want, 12), warnings: [] });
    expect(klDiv(half, logs, { ...options, logTarget: true }).loss).toBeCloseTo(want, 12);
    expect(klDiv(half, logs, { ...options, fromLogits: true }).loss).toBeCloseTo(want, 12);
    expect(() => klDiv(half, p, { temperature: 2 })).toThrow("no effect without from_logits");
    expect(() => klDiv(half, p, { fromLogits: true, temperature: Number.NaN })).toThrow(LossError);
  });

  it("returns values instead of the output for an index and the top k, with their types", () => {
    const index = { dtype: "int32", shape: [2, 1], data: Int32Array.of(2, 0) } as const;
    const ones = { dtype: "float32", shape: [2, 1], data: Float32Array.of(1, 1) } as const;
    const gathered = logSoftmax(input, { dim: 1, index, returnGrad: true, gradOutput: ones });
    expectTypeOf(gathered.values).toEqualTypeOf<ArrayTensor<"float32">>();
    expect(gathered.values.data[1]).toBeCloseTo(-Math.log(3), 6);
    expect(gathered.gradInput!.data[3]).toBeCloseTo(2 / 3, 6);
    expect(gathered).not.toHaveProperty("output");
    const top = logSoftmax(input, { dim: -1, topK: 2, dtype: "float64", returnLse: true });
    expectTypeOf(top.values).toEqualTypeOf<ArrayTensor<"float64">>();
    expectTypeOf(top.indices).toEqualTypeOf<ArrayTensor<"int64"> | undefined>();
    expect(top.indices).toEqual({ dtype: "int64", shape: [2, 2], data: BigInt64Array.of(2n, 1n, 0n, 1n) });
    expect(top.lse!.data[1]).toBeCloseTo(Math.log(3), 14);
    const { output, entropy } = logSoftmax(input, { dim: 1, returnEntropy: true });
    expectTypeOf(output).toEqualTypeOf<ArrayTensor<"float32">>();
    expect(entropy!.data[1]).toBeCloseTo(Math.log(3), 6);
  });

  it("rejects an index and a topK that do not fit, by PyTorch's names", () => {
    const index = { dtype: "int64", shape: [2, 1], data: BigInt64Array.of(0n, 3n) } as const;
    const error = thrownBy(() => logSoftmax(input, { dim: 1, index })) as LossError;
    expect([error.code, error.field, error.element]).toEqual(["target_out_of_bounds", "index", 1]);
    for (const topK of [0, 4, -1]) {
      const { code, field } = thrownBy(() => logSoftmax(input, { dim: 1, topK })) as LossError;
      expect([code, field]).toEqual(["option_out_of_range", "top_k"]);
    }
  });

  it("takes any int64 as ignoreIndex and as target, and a safe integer as ignoreIndex", () => {
    const far = 2n ** 62n + 1n;
    const kept = { ...target, data: BigInt64Array.of(2n, far) };
    expect(crossEntropy(input, kept, { ignoreIndex: far }).totalWeight).toBe(1);
    expect(() => crossEntropy(input, kept, { ignoreIndex: far - 1n })).toThrow(
      /Target 4611686018427387905 is out of bounds/,
    );
    expect(crossEntropy(input, target, { ignoreIndex: 2 })).toEqual(
      crossEntropy(input, target, { ignoreIndex: 2n }),
    );
    expect(crossEntropy(input, target, { ignoreIndex: 2 }).totalWeight).toBe(1);
  });

  it("casts the input to dtype, which is the dtype of the losses but not of the gradient", () => {
    const half = { dtype: "bfloat16", shape: [1, 2], data: Uint16Array.of(0x3f80, 0x4000) } as const;
    const rows = { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) } as const;
    const options = { dtype: "float32", reduction: "none", returnGrad: true } as const;
    const gradOutput = { dtype: "float32", shape: [1], data: Float32Array.of(1) } as const;
    const { losses, gradInput } = crossEntropy(half, rows, { ...options, gradOutput });
    expectTypeOf(losses!.dtype).toEqualTypeOf<"float32">();
    expectTypeOf(gradInput!.dtype).toEqualTypeOf<"bfloat16">();
    expect(losses!.data).toEqual(Float32Array.of(Math.log1p(Math.exp(-1))));
    expect(gradInput!.dtype).toBe("bfloat16");
  });

  it("takes logits (batch, tokens, classes) with next-token targets", () => {
    const logits = { dtype: "float32", shape: [1, 2, 3], data: input.data } as const;
    const tokens = { dtype: "int64", shape: [1, 2], data: BigInt64Array.of(7n, 2n) } as const;
    const { losses, totalWeight } = crossEntropy(logits, tokens, { ...NONE, dim: -1, shift: 1 });
    expect(losses).toMatchObject({ dtype: "float32", shape: [1, 1] });
    expect(losses!.data[0]).toBeCloseTo(0.40760597, 6);
    expect(totalWeight).toBe(1);
  });

  it("takes float16 and bfloat16 as their 16 bits", () => {
    const half = { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0x3c00) } as const;
    expect(logSoftmax(half, { dim: 0 }).output.data).toEqual(Uint16Array.of(0xb98c, 0xb98c));
  });

  it("takes typed arrays of another realm, and a part of a buffer", () => {
    const data: Float32Array = runInNewContext("Float32Array.of(1, 2, 3, 0, 0, 0)");
    const part = Float32Array.of(9, ...input.data).subarray(1);
    for (const each of [data, part])
      expect(crossEntropy({ ...input, data: each }, target)).toEqual(crossEntropy(input, target));
  });

  it("takes undefined for every option as if it were left out", () => {
    const none = { returnGrad: undefined, gradOutput: undefined };
    const loss = {
      ...none,
      weight: undefined,
      ignoreIndex: undefined,
      reduction: undefined,
      sizeAverage: undefined,
      reduce: undefined,
    };
    const smooth = { ...loss, labelSmoothing: undefined, returnGradTarget: undefined };
    const logits = { fromLogits: undefined, dim: undefined, temperature: undefined, logTarget: undefined };
    expect(klDiv(input, input, { ...none, ...logits, reduction: undefined })).toEqual(klDiv(input, input));
    expect(crossEntropy(input, target, smooth)).toEqual(crossEntropy(input, target));
    expect(nllLoss(input, target, loss)).toEqual(nllLoss(input, target));
    expect(logSoftmax(input, { ...none, dim: undefined, dtype: undefined })).toEqual(logSoftmax(input));
    expect(crossEntropy(input, target, undefined)).toEqual(crossEntropy(input, target));
  });

  it("reads options that are inherited", () => {
    expect(crossEntropy(input, target, Object.create(NONE))).toEqual(crossEntropy(input, target, NONE));
  });
});

describe("results have the dtypes that their types say", () => {
  const float = {
    float64: { dtype: "float64", shape: [1, 2], data: Float64Array.of(0, 0) },
    float32: { dtype: "float32", shape: [1, 2], data: Float32Array.of(0, 0) },
    float16: { dtype: "float16", shape: [1, 2], data: Uint16Array.of(0, 0) },
    bfloat16: { dtype: "bfloat16", shape: [1, 2], data: Uint16Array.of(0, 0) },
  } as const;
  const index = {
    int64: { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) },
    int32: { dtype: "int32", shape: [1], data: Int32Array.of(1) },
    uint8: { dtype: "uint8", shape: [1], data: Uint8Array.of(1) },
  } as const;
  const one = { dtype: "float64", shape: [1], data: Float64Array.of(1) } as const;

  it.each(Object.values(float))("$dtype in, $dtype out", (x: ArrayTensor<FloatDType>) => {
    const like = { dtype: x.dtype, data: expect.any(x.data.constructor) };
    const options = { ...NONE, returnGrad: true, gradOutput: one };
    for (const classes of Object.values(index)) {
      expect(nllLoss(x, classes, options)).toMatchObject({ losses: like, gradInput: like });
      expect(crossEntropy(x, classes, options)).toMatchObject({ losses: like, gradInput: like });
    }
    const both = crossEntropy(x, x, { returnGrad: true, returnGradTarget: true });
    expect(both).toMatchObject({ gradInput: like, gradTarget: like });
    for (const out of Object.values(float)) {
      const gradOutput = { dtype: "float64", shape: [1, 2], data: Float64Array.of(1, 0) } as const;
      const result = logSoftmax(x, { dim: 1, dtype: out.dtype, returnGrad: true, gradOutput });
      const output = { dtype: out.dtype, shape: [1, 2], data: expect.any(out.data.constructor) };
      expect(result).toMatchObject({ output, gradInput: like });
    }
  });

  it("types them by the input, the target and the dtype option", () => {
    const loss = crossEntropy(float.float32, index.int64, { ...NONE, returnGrad: true, gradOutput: one });
    expectTypeOf(loss.gradInput!.data).toEqualTypeOf<Float32Array>();
    expectTypeOf(loss.losses!.data).toEqualTypeOf<Float32Array>();
    const soft = crossEntropy(float.float64, float.bfloat16, { returnGradTarget: true });
    expectTypeOf(soft.gradTarget!.data).toEqualTypeOf<Uint16Array>();
    expectTypeOf(soft.losses).toEqualTypeOf<ArrayTensor<FloatDType> | undefined>();
    const nll = nllLoss(float.float64, index.uint8, { returnGrad: true });
    expectTypeOf(nll.gradInput!.data).toEqualTypeOf<Float64Array>();
    expectTypeOf(logSoftmax(float.float16).output.dtype).toEqualTypeOf<"float16">();
    expectTypeOf(logSoftmax(float.float16, { dim: 1 }).output.dtype).toEqualTypeOf<"float16">();
    expectTypeOf(logSoftmax(float.float32, { dtype: null }).output.data).toEqualTypeOf<Float32Array>();
    const divergence = klDiv(float.float32, float.bfloat16, { returnGrad: true, returnGradTarget: true });
    expectTypeOf(divergence.gradInput!.data).toEqualTypeOf<Float32Array>();
    expectTypeOf(divergence.gradTarget!.data).toEqualTypeOf<Uint16Array>();
    expect(divergence).toMatchObject({ gradInput: { dtype: "float32" }, gradTarget: { dtype: "bfloat16" } });
    const integers = { dtype: "int32", shape: [1], data: Int32Array.of(1) } as const;
    const { output } = logSoftmax(integers, { dim: 0, dtype: "float64" });
    expectTypeOf(output.data).toEqualTypeOf<Float64Array>();
    expect(output.data).toEqual(Float64Array.of(0));
    const perhaps: "float64" | undefined = ([] as "float64"[])[0];
    const either = logSoftmax(float.float32, { dim: 1, dtype: perhaps });
    expectTypeOf(either.output).toEqualTypeOf<ArrayTensor<FloatDType>>();
  });

  it("have types that refuse what is always a mistake", () => {
    // @ts-expect-error: the typed array belongs to another dtype
    expect(() => crossEntropy({ ...input, data: Float64Array.of(1) }, target)).toThrow(TypeError);
    // @ts-expect-error: the option has another name
    expect(() => crossEntropy(input, target, { label_smoothing: 0.1 })).toThrow(TypeError);
    // @ts-expect-error: nll_loss has no smoothing
    expect(() => nllLoss(input, target, { labelSmoothing: 0.1 })).toThrow(TypeError);
    // @ts-expect-error: class indices are integers
    expect(() => nllLoss(input, input)).toThrow(LossError);
    // @ts-expect-error: a divergence has no class indices
    expect(() => klDiv(input, target)).toThrow(LossError);
    // @ts-expect-error: the option has another name
    expect(() => klDiv(input, input, { logits: true })).toThrow(TypeError);
    // @ts-expect-error: logits are floats
    expect(() => crossEntropy(target, target)).toThrow(LossError);
  });
});

describe("what PyTorch refuses is a LossError", () => {
  it("names code, field and element", () => {
    const wrong = { ...target, data: BigInt64Array.of(2n, 3n) };
    const error = thrownBy(() => crossEntropy(input, wrong));
    expect(error).toBeInstanceOf(LossError);
    expect(error).toMatchObject({ code: "target_out_of_bounds", field: "target", element: 1 });
  });

  it("so is a shape that does not fit its data", () => {
    const error = thrownBy(() => crossEntropy({ ...input, shape: [2, 4] }, target));
    expect(error).toMatchObject({ code: "shape_mismatch", field: "input" });
    expect((error as Error).message).toMatch(/needs 8 elements, got 6$/);
  });

  it.each([2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n])("so is ignoreIndex %s, outside int64", (ignoreIndex) => {
    const error = thrownBy(() => nllLoss(input, target, { ignoreIndex }));
    expect(error).toMatchObject({ code: "option_out_of_range", field: "ignore_index" });
  });
});

it("throws a RangeError where tensors have no room, before it copies them, and goes on", () => {
  const length = 3 * 1024 ** 3;
  // Zeros that nobody touches take no memory.
  const huge = { dtype: "uint8", shape: [length], data: new Uint8Array(length) } as const;
  const before = process.memoryUsage.rss();
  const error = thrownBy(() => logSoftmax(huge, { dim: 0, dtype: "float32" }));
  expect(error).toBeInstanceOf(RangeError);
  expect((error as Error).message).toMatch(
    /^logSoftmax: no room for \d+ more bytes: the memory may take 4294967296 bytes \(maxBytes\)$/,
  );
  expect(process.memoryUsage.rss() - before).toBeLessThan(length / 10);
  expect(crossEntropy(input, target).totalWeight).toBe(2);
});

it.each([
  [[3e38, 1], 2.7251e34, [-2.725e33, 2.725e33]],
  [[Infinity, 0], Infinity, [Number.NaN, Infinity]],
])(
  "has PyTorch's loss and gradient where target times weight exceeds float32: %j",
  (target, loss, gradient) => {
    const floats = (...data: number[]) =>
      ({ dtype: "float32", shape: [1, 2], data: Float32Array.from(data) }) as const;
    const { losses, gradInput } = crossEntropy(floats(10, 0), floats(...target), {
      weight: { ...floats(2, 1), shape: [2] },
      reduction: "none",
      returnGrad: true,
      gradOutput: { dtype: "float32", shape: [1], data: Float32Array.of(0.1) },
    });
    const near = (got: number, want: number): boolean =>
      Object.is(got, want) || Math.abs(got / want - 1) < 1e-3;
    expect(near(losses!.data[0]!, loss)).toBe(true);
    gradient.forEach((want, at) => {
      expect(near(gradInput!.data[at]!, want), `gradient ${gradInput!.data}`).toBe(true);
    });
  },
);
