/** Runs every fold of a loss with vectors of 128 and of 256 bits and prints what differs, as JSON. Its caller sets the compiler's flags. */
import type { Fold, FoldName } from "../../src/kernel/fold.ts";
import { foldStep, NO_SUMS } from "../../src/kernel/fold.ts";
import type { Kernel } from "../../src/kernel/load.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { Arena } from "../../src/tensor/arena.ts";
import type { DType, FloatDType } from "../../src/tensor/dtype.ts";
import type { Axis, Tensor } from "../../src/tensor/tensor.ts";
import { integers } from "../support/random.ts";
import { placeIn } from "./place.ts";

const kernels = [loadKernel(1 << 25, "kernel.wasm"), loadKernel(1 << 25, "kernel-paired.wasm")] as const;
const start = Math.max(...kernels.map((kernel) => kernel.heapBase));

/** Rows, columns, and short rows in columns, with even and odd numbers of vectors and of positions. */
const AXES: readonly Axis[] = [
  ...[65, 100, 127, 128, 1000, 2047, 2052, 5001].map((length) => ({ outer: 2, length, inner: 1 })),
  ...[1, 2, 3, 10, 33, 64].map((length) => ({ outer: 77, length, inner: 1 })),
  ...[2, 5, 8, 12, 16, 17, 64, 100].map((inner) => ({ outer: 2, length: 21, inner })),
  { outer: 1, length: 3000, inner: 20 },
];
const DTYPES: readonly FloatDType[] = ["float64", "float32", "float16", "bfloat16"];
/** Numbers about a maximum, far from it, and such as leave nothing of a line. */
const SPECIAL = [0, -0, 1e-30, 88, -104, -1e30, -Infinity];

/** Repeatable numbers between -8 and 8, with a special one in 50. */
function numbers(count: number, seed: number, special = SPECIAL): number[] {
  const random = integers(seed * 2654435761);
  return Array.from({ length: count }, () => {
    const at = random(2 ** 24);
    return special.length > 0 && at % 50 === 0
      ? special[((at / 50) % special.length) | 0]!
      : (at / 2 ** 23 - 1) * 8;
  });
}

interface Scenario {
  readonly name: FoldName;
  readonly dtype: FloatDType;
  readonly axis: Axis;
  readonly options: Partial<
    Record<"smoothing" | "zLossScale" | "special" | "upstream" | "budget", number>
  > & { readonly inPlace?: true };
}

/** Bytes behind everything in use. */
const GUARD_BYTES = 4096;

/** Runs a scenario and returns the memory that it used, and its sums. */
function run(kernel: Kernel, { name, dtype, axis, options }: Scenario): Buffer {
  const { outer, length, inner } = axis;
  kernel.u8.fill(7, start, start + 2 ** 21);
  const arena = new Arena(start, kernel.u8.length);
  const region = arena.reserve(0);
  const shape = [outer, length, inner];
  const positions = outer * inner;
  const wide = dtype === "float64";
  const compute = wide ? "float64" : "float32";
  const put = (type: DType, size: readonly number[], list: number[]): Tensor => {
    return placeIn(kernel, region, type, size, list);
  };
  const special = options.special === undefined ? SPECIAL : [...SPECIAL, options.special];
  const x = put(dtype, shape, numbers(outer * length * inner, length, special));
  const out = options.inPlace ? x : put(dtype, shape, Array(outer * length * inner).fill(9));
  const losses = put(dtype, [positions], Array(positions).fill(9));
  const common: Fold = { axis, wide, x, out };
  const index = () =>
    put(
      "int64",
      [positions],
      numbers(positions, 3, []).map((n) => Math.abs(Math.trunc(n * 1000)) % length),
    );
  const soft = () => put(dtype, shape, numbers(outer * length * inner, 5, []).map(Math.abs));
  const folds: Record<FoldName, () => Fold> = {
    logSoftmax: () => common,
    logSoftmaxGrad: () => ({ ...common, target: soft() }),
    nll: () => ({ ...common, target: index(), losses, lossDType: dtype }),
    crossEntropy: () => ({
      ...common,
      target: index(),
      losses,
      lossDType: dtype,
      gradOutput: put(
        compute,
        [positions],
        numbers(positions, 7, []).map((n) => n * (options.upstream ?? 1)),
      ),
      weight: put(compute, [length], numbers(length, 9, []).map(Math.abs)),
      smoothing: options.smoothing ?? 0,
      zLossScale: options.zLossScale ?? 0,
    }),
    softTarget: () => ({
      ...common,
      target: soft(),
      losses,
      lossDType: dtype,
      smoothing: options.smoothing ?? 0,
    }),
    sparseTarget: () => {
      const picks = Math.min(length, 3);
      const classes = Array.from({ length: positions * picks }, (_, at) => Math.floor(at / inner) % picks);
      const target = put("int64", [outer, picks, inner], classes);
      const targetWeight = put(
        dtype,
        [outer, picks, inner],
        classes.map((c) => 1 / (c + 2)),
      );
      return { ...common, target, targetWeight, picks, losses, lossDType: dtype };
    },
  };
  const fold = folds[name]();
  const state = { gradOutputScalar: 0.7, sums: NO_SUMS };
  const at = region.alloc(kernel.exports.foldBytes);
  const step = foldStep(kernel, at, name, fold, state);
  while (!step(options.budget ?? 1 << 18));
  // With the record and what follows, which nobody may write.
  const end = at + kernel.exports.foldBytes + GUARD_BYTES;
  return Buffer.concat([kernel.u8.slice(start, end), Buffer.from(JSON.stringify(state.sums))]);
}

const scenarios: Scenario[] = AXES.flatMap((axis) =>
  DTYPES.flatMap((dtype) => [
    ...(["logSoftmax", "logSoftmaxGrad", "nll", "crossEntropy", "softTarget", "sparseTarget"] as const).map(
      (name) => ({ name, dtype, axis, options: {} }),
    ),
    { name: "logSoftmax", dtype, axis, options: { special: NaN } } as const,
    { name: "logSoftmax", dtype, axis, options: { special: Infinity } } as const,
    { name: "crossEntropy", dtype, axis, options: { smoothing: 0.1 } } as const,
    { name: "crossEntropy", dtype, axis, options: { zLossScale: 0.01 } } as const,
    { name: "crossEntropy", dtype, axis, options: { special: NaN, inPlace: true } } as const,
    { name: "crossEntropy", dtype, axis, options: { upstream: 1e-37, budget: 64 } } as const,
    {
      name: "logSoftmaxGrad",
      dtype,
      axis,
      options: { special: Infinity, budget: 64, inPlace: true },
    } as const,
    { name: "softTarget", dtype, axis, options: { smoothing: 0.2 } } as const,
  ]),
);
// In columns that are folded in parts.
scenarios.push({
  name: "logSoftmax",
  dtype: "float32",
  axis: { outer: 1, length: 70_000, inner: 8 },
  options: {},
});
const [single, paired] = kernels;
const different = scenarios.filter((scenario) => !run(single, scenario).equals(run(paired, scenario)));
process.stdout.write(
  `\n${JSON.stringify({ compared: scenarios.length, different: different.slice(0, 5) })}\n`,
);
