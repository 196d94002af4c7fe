/** The library called from JavaScript, where no compiler says what is wrong: every mistake gets a TypeError that says where, what was expected and what came. */
import * as lossd from "lossd";
import { LossError } from "lossd";
import { expect, it } from "vitest";

// As JavaScript sees them.
const { crossEntropy, nllLoss, logSoftmax } = lossd as unknown as Record<
  "crossEntropy" | "nllLoss" | "logSoftmax",
  (...args: unknown[]) => unknown
>;

const x = { dtype: "float32", shape: [1, 3], data: Float32Array.of(1, 2, 3) };
const t = { dtype: "int64", shape: [1], data: BigInt64Array.of(0n) };
const RECORD = "expected { dtype, shape, data }, got";
const DTYPES = "one of float64, float32, float16, bfloat16, int64, int32, uint8";
const LOSS =
  "weight, sampleWeight, ignoreIndex, reduction, sizeAverage, reduce, dim, shift, dtype, returnGrad, gradOutput";
const SIZE = "expected an integer from 0 on, got";
const RANK = "expected an Array of at most 8 sizes, got";

/** What is called, and the message after the function's name. */
const MISUSES: readonly (readonly [name: string, call: () => unknown, message: string])[] = [
  ["lists", () => crossEntropy([[1, 2, 3]], [0]), `crossEntropy: input: ${RECORD} an Array`],
  ["nothing", () => nllLoss(), `nllLoss: input: ${RECORD} undefined`],
  ["no target", () => nllLoss(x), `nllLoss: target: ${RECORD} undefined`],
  ["null", () => logSoftmax(null), `logSoftmax: input: ${RECORD} null`],
  ["a bare array", () => logSoftmax(x.data), `logSoftmax: input: ${RECORD} a Float32Array`],
  [
    "no dtype",
    () => logSoftmax({ ...x, dtype: undefined }),
    `logSoftmax: input: ${RECORD} an object without dtype`,
  ],
  [
    "a promise",
    () => logSoftmax(Promise.resolve(x)),
    `logSoftmax: input: ${RECORD} a Promise without dtype, shape, data`,
  ],

  [
    "an unknown dtype",
    () => logSoftmax({ ...x, dtype: "float8" }),
    `logSoftmax: input.dtype: expected ${DTYPES}, got the string "float8"`,
  ],
  [
    "a name that every object has as dtype",
    () => logSoftmax({ ...x, dtype: "toString" }),
    `logSoftmax: input.dtype: expected ${DTYPES}, got the string "toString"`,
  ],
  [
    "a list as data",
    () => logSoftmax({ ...x, data: [1, 2, 3] }),
    "logSoftmax: input.data: expected a Float32Array for float32, got an Array",
  ],
  [
    "int32 as float32",
    () => logSoftmax({ ...x, data: Int32Array.of(1, 2, 3) }),
    "logSoftmax: input.data: expected a Float32Array for float32, got an Int32Array",
  ],
  [
    "doubles as int64",
    () => nllLoss(x, { ...t, data: Float64Array.of(0) }),
    "nllLoss: target.data: expected a BigInt64Array for int64, got a Float64Array",
  ],
  [
    "floats as float16",
    () => logSoftmax({ ...x, dtype: "float16" }),
    "logSoftmax: input.data: expected a Uint16Array for float16, got a Float32Array",
  ],
  [
    "something named like an array",
    () => logSoftmax({ ...x, data: { [Symbol.toStringTag]: "Float32Array" } }),
    "logSoftmax: input.data: expected a Float32Array for float32, got a Float32Array",
  ],

  [
    "an ndarray, whose elements may be in another order",
    () => logSoftmax({ ...x, stride: [1, 3], offset: 0 }),
    `logSoftmax: input: ${RECORD} an object with stride`,
  ],
  [
    "another strided array, of a class with accessors",
    () =>
      logSoftmax(
        Object.assign(
          Object.create({
            get strides() {
              return [1, 3];
            },
          }),
          x,
        ),
      ),
    `logSoftmax: input: ${RECORD} an object with strides`,
  ],
  [
    "a shape whose length is read twice",
    () =>
      logSoftmax({
        ...x,
        shape: new Proxy([], {
          get: (list, name) => (name === "length" ? { valueOf: () => 1 } : Reflect.get(list, name)),
        }),
      }),
    `logSoftmax: input.shape: ${RANK} an object`,
  ],
  ["half a row", () => logSoftmax({ ...x, shape: [0.5, 6] }), `logSoftmax: input.shape[0]: ${SIZE} 0.5`],
  ["negative sizes", () => logSoftmax({ ...x, shape: [1, -3] }), `logSoftmax: input.shape[1]: ${SIZE} -3`],
  [
    "a hole",
    () => logSoftmax({ ...x, shape: new Array(2) }),
    `logSoftmax: input.shape[0]: ${SIZE} undefined`,
  ],
  [
    "sizes as texts",
    () => logSoftmax({ ...x, shape: ["1", 3] }),
    `logSoftmax: input.shape[0]: ${SIZE} the string "1"`,
  ],
  [
    "rank 9",
    () => logSoftmax({ ...x, shape: [1, 1, 1, 1, 1, 1, 1, 1, 3] }),
    `logSoftmax: input.shape: ${RANK} 9`,
  ],
  [
    "a shape that iterates over more than it has",
    () => logSoftmax({ ...x, shape: Object.assign([1, -1], { [Symbol.iterator]: () => [1, 3].values() }) }),
    `logSoftmax: input.shape[1]: ${SIZE} -1`,
  ],
  [
    "an array whose memory was transferred",
    () => {
      const data = Float32Array.of(1, 2, 3);
      structuredClone(data, { transfer: [data.buffer] });
      return crossEntropy({ ...x, data }, t);
    },
    "crossEntropy: input.data: expected an array with memory, got a detached one",
  ],
  ["a number as shape", () => logSoftmax({ ...x, shape: 3 }), `logSoftmax: input.shape: ${RANK} 3`],

  [
    "PyTorch's spelling",
    () => crossEntropy(x, t, { label_smoothing: 0.1 }),
    "crossEntropy: unknown option label_smoothing; did you mean labelSmoothing?",
  ],
  [
    "another case",
    () => crossEntropy(x, t, { returngrad: true }),
    "crossEntropy: unknown option returngrad; did you mean returnGrad?",
  ],
  [
    "a misspelt option",
    () => crossEntropy(x, t, { returnGrads: true, labelSmothing: 0.1 }),
    "crossEntropy: unknown option returnGrads; did you mean returnGrad?",
  ],
  [
    "an option of no loss",
    () => crossEntropy(x, t, { gamma: 2 }),
    `crossEntropy: unknown option gamma; expected one of ${LOSS}, labelSmoothing, temperature, softcap, lseSquareScale, returnZLoss, returnPredictions, returnCorrect, targetWeight, returnGradTargetWeight, returnGradTarget`,
  ],
  [
    "another function's option",
    () => nllLoss(x, t, { labelSmoothing: 0.1 }),
    `nllLoss: unknown option labelSmoothing; expected one of ${LOSS}`,
  ],
  [
    "an unknown option without a value",
    () => logSoftmax(x, { axis: undefined }),
    "logSoftmax: unknown option axis; expected one of dim, dtype, temperature, softcap, index, topK, returnLse, returnEntropy, returnGrad, gradOutput, gradLse, gradEntropy",
  ],
  [
    "an inherited unknown option",
    () => logSoftmax(x, Object.create({ axis: 1 })),
    "logSoftmax: unknown option axis; expected one of dim, dtype, temperature, softcap, index, topK, returnLse, returnEntropy, returnGrad, gradOutput, gradLse, gradEntropy",
  ],
  ["dim by position", () => logSoftmax(x, 1), "logSoftmax: options: expected an object, got 1"],
  [
    "a map",
    () => crossEntropy(x, t, new Map([["reduction", "none"]])),
    "crossEntropy: options: expected an object, got a Map",
  ],
  ["a date", () => crossEntropy(x, t, new Date()), "crossEntropy: options: expected an object, got a Date"],
  ["no options", () => crossEntropy(x, t, null), "crossEntropy: options: expected an object, got null"],

  ["half a topK", () => logSoftmax(x, { topK: 0.5 }), "logSoftmax: topK: expected an integer, got 0.5"],
  [
    "a list as index",
    () => logSoftmax(x, { index: [[0]] }),
    "logSoftmax: index: expected { dtype, shape, data }, got an Array",
  ],
  [
    "a number as returnLse",
    () => logSoftmax(x, { returnLse: 1 }),
    "logSoftmax: returnLse: expected true or false, got 1",
  ],
  [
    "a number as gradEntropy",
    () => logSoftmax(x, { gradEntropy: 1 }),
    "logSoftmax: gradEntropy: expected { dtype, shape, data }, got 1",
  ],
  ["half a dim", () => logSoftmax(x, { dim: 0.5 }), "logSoftmax: dim: expected an integer or null, got 0.5"],
  [
    "dim as text",
    () => logSoftmax(x, { dim: "1" }),
    'logSoftmax: dim: expected an integer or null, got the string "1"',
  ],
  [
    "dtype float8",
    () => logSoftmax(x, { dtype: "float8" }),
    `logSoftmax: dtype: expected ${DTYPES} or null, got the string "float8"`,
  ],
  [
    "reduction null",
    () => crossEntropy(x, t, { reduction: null }),
    "crossEntropy: reduction: expected a string, got null",
  ],
  [
    "half an ignoreIndex",
    () => nllLoss(x, t, { ignoreIndex: 0.5 }),
    "nllLoss: ignoreIndex: expected a bigint or a safe integer, got 0.5",
  ],
  [
    "an ignoreIndex that was rounded",
    () => nllLoss(x, t, { ignoreIndex: 2 ** 53 }),
    "nllLoss: ignoreIndex: expected a bigint or a safe integer, got 9007199254740992",
  ],
  [
    "smoothing as text",
    () => crossEntropy(x, t, { labelSmoothing: "0.1" }),
    'crossEntropy: labelSmoothing: expected a number, got the string "0.1"',
  ],
  [
    "returnGrad 1",
    () => logSoftmax(x, { returnGrad: 1 }),
    "logSoftmax: returnGrad: expected true or false, got 1",
  ],
  [
    "returnGradTarget null",
    () => crossEntropy(x, t, { returnGradTarget: null }),
    "crossEntropy: returnGradTarget: expected true or false, got null",
  ],
  ["reduce 0n", () => nllLoss(x, t, { reduce: 0n }), "nllLoss: reduce: expected true, false or null, got 0n"],
  [
    "sizeAverage as a function",
    () => nllLoss(x, t, { sizeAverage: () => true }),
    "nllLoss: sizeAverage: expected true, false or null, got a function",
  ],
  ["a list as weight", () => nllLoss(x, t, { weight: [1, 1, 1] }), `nllLoss: weight: ${RECORD} an Array`],
  ["weight null", () => nllLoss(x, t, { weight: null }), `nllLoss: weight: ${RECORD} null`],
  [
    "a number as gradOutput",
    () => nllLoss(x, t, { returnGrad: true, gradOutput: 2 }),
    `nllLoss: gradOutput: ${RECORD} 2`,
  ],
  [
    "a text without end",
    () => crossEntropy(x, t, { reduce: "a".repeat(100) }),
    `crossEntropy: reduce: expected true, false or null, got the string "${"a".repeat(64)}..."`,
  ],
];

it.each(MISUSES)("%s", (_name, call, message) => {
  expect(call).toThrow(new TypeError(message));
});

it("a typed array with a length of its own making does not read further than its memory", () => {
  const data = Object.defineProperty(Float32Array.of(1, 2, 3), "length", { value: 6000 });
  const call = () => crossEntropy({ dtype: "float32", shape: [1, 6000], data }, t);
  expect(call).toThrow(LossError);
  expect(call).toThrow("input: shape [1, 6000] of float32 needs 6000 elements, got 3");
});

it("takes options that a class has as accessors", () => {
  class Options {
    get reduction() {
      return "none";
    }
  }
  expect(crossEntropy(x, t, new Options())).toHaveProperty("losses");
});

it("names dtype where an integer dtype was asked for, and input where the input has one", () => {
  const ints = { dtype: "int32", shape: [2], data: Int32Array.of(1, 2) };
  for (const options of [{ dim: 0 }, { dim: 0, returnLse: true }]) {
    expect(() => logSoftmax(x, { ...options, dtype: "int64" })).toThrow(
      expect.objectContaining({ field: "dtype" }),
    );
    expect(() => logSoftmax(ints, options)).toThrow(expect.objectContaining({ field: "input" }));
  }
});

it("returns shapes of their own, with 0 for -0", () => {
  const { lse, entropy } = logSoftmax(
    { ...x, shape: [-0, 3], data: new Float32Array() },
    { dim: 1, returnLse: true, returnEntropy: true },
  ) as Record<string, { shape: number[] } | undefined>;
  expect(lse!.shape).toStrictEqual([0]);
  lse!.shape.push(7);
  expect(entropy!.shape).toEqual([0]);
});
