/** Prepares the losses' kernel calls for repeated runs. */
import { convertStep } from "../src/kernel/convert.ts";
import type { Fold, FoldName } from "../src/kernel/fold.ts";
import { foldStep } from "../src/kernel/fold.ts";
import type { Kernel } from "../src/kernel/load.ts";
import { runToEnd } from "../src/kernel/step.ts";
import { checkTargetsStep } from "../src/kernel/targets.ts";
import { Arena } from "../src/tensor/arena.ts";
import type { DType, FloatDType } from "../src/tensor/dtype.ts";
import { isFloat } from "../src/tensor/dtype.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { axisOf, byteLength, elementCount } from "../src/tensor/tensor.ts";
import { openKernel } from "./kernel.ts";
import { uniform } from "./measure.ts";

/** The kernels and their memory. */
export interface Bench {
  readonly kernel: Kernel;
  readonly arena: Arena;
}

/** Operands that a fold reads beside its input, and its outputs. */
export interface Operands {
  readonly out: Tensor;
  readonly indices: Tensor;
  readonly probabilities: Tensor;
}

/** One measured computation. */
export interface Plan {
  readonly title: string;
  readonly name: FoldName;
  readonly fold: (operands: Operands) => Partial<Fold>;
}

/** A tensor's type and shape, and its class axis. */
export interface Input {
  readonly dtype: FloatDType;
  readonly shape: readonly number[];
  readonly classAxis: number;
}

export interface Prepared {
  /** Computes once. Class indices are checked like in the losses, and results overwrite the last run's. */
  run(): void;
  release(): void;
}

export const LOG_SOFTMAX: Plan = { title: "log_softmax", name: "logSoftmax", fold: ({ out }) => ({ out }) };
export const CROSS_ENTROPY: Plan = {
  title: "cross_entropy",
  name: "crossEntropy",
  fold: ({ indices }) => ({ target: indices }),
};
export const CROSS_ENTROPY_GRADIENT: Plan = {
  title: "cross_entropy + gradient",
  name: "crossEntropy",
  fold: ({ out, indices }) => ({ target: indices, out }),
};

/** Bytes for the record that describes a fold to the kernels. */
const RECORD_BYTES = 1024;
const IGNORE_INDEX = -100n;
/** Number of distinct values that fill a tensor. */
const BLOCK = 2 ** 20;

export function openBench(bytes: number): Bench {
  const kernel = openKernel(bytes);
  return { kernel, arena: new Arena(kernel.heapBase, kernel.u8.length) };
}

/** Allocates and fills the operands that a plan reads; pages of the others stay untouched. */
export function prepare(bench: Bench, plan: Plan, { dtype, shape, classAxis }: Input): Prepared {
  const { kernel, arena } = bench;
  const region = arena.reserve(0);
  const allocate = (type: DType, size: readonly number[]): Tensor => ({
    dtype: type,
    shape: size,
    address: region.alloc(byteLength({ dtype: type, shape: size })),
  });
  const x = allocate(dtype, shape);
  fill(bench, x, (random) => random * 10 - 5);
  const axis = axisOf(shape, classAxis);
  const indices = allocate("int64", shape.toSpliced(classAxis, 1));
  const positions = axis.outer * axis.inner;
  for (let p = 0; p < positions; p++) {
    kernel.i64[indices.address / 8 + p] = BigInt((p * 7919) % axis.length);
  }
  const operands: Operands = {
    indices,
    get out() {
      return allocate(dtype, shape);
    },
    get probabilities() {
      const tensor = allocate(dtype, shape);
      fill(bench, tensor, (random) => random / 1000);
      return tensor;
    },
  };
  const fold: Fold = { axis, wide: dtype === "float64", x, lossDType: dtype, ...plan.fold(operands) };
  const checked = fold.target !== undefined && !isFloat(fold.target.dtype) ? fold.target : undefined;
  const run = (): void => {
    const record = arena.reserve(RECORD_BYTES);
    const at = record.alloc(RECORD_BYTES);
    if (checked !== undefined) {
      const check = { classes: axis.length, target: checked, weight: undefined, ignoreIndex: IGNORE_INDEX };
      runToEnd([checkTargetsStep(kernel, at, { ...check, reject })]);
    }
    runToEnd([foldStep(kernel, at, plan.name, fold)]);
    record.release();
  };
  return { run, release: () => region.release() };
}

function reject(element: number): never {
  throw new Error(`target ${element} is no class`);
}

/** Fills a tensor with a fixed sequence of numbers, the same in every dtype except for rounding. */
function fill({ kernel, arena }: Bench, tensor: Tensor, number: (random: number) => number): void {
  const count = elementCount(tensor.shape);
  const region = arena.reserve(BLOCK * 8);
  const from: Tensor = { dtype: "float64", shape: [BLOCK], address: region.alloc(BLOCK * 8) };
  const random = uniform();
  for (let at = 0; at < Math.min(BLOCK, count); at++) kernel.f64[from.address / 8 + at] = number(random());
  const bytes = byteLength(tensor) / count;
  for (let at = 0; at < count; at += BLOCK) {
    const to = { dtype: tensor.dtype, address: tensor.address + at * bytes };
    runToEnd([convertStep(kernel, from, to, Math.min(BLOCK, count - at))]);
  }
  region.release();
}
