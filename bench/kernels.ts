/**
 * How fast the folds are: `node bench/kernels.ts [word]` prints 10^9 input elements a second, the best of many runs, for each fold,
 * shape and dtype whose line contains the word. Nothing is asserted; compare only within one run.
 */

import { convertTensor } from "../src/kernel/convert.ts";
import type { Fold, FoldName } from "../src/kernel/fold.ts";
import { runFold } from "../src/kernel/fold.ts";
import { loadKernel } from "../src/kernel/kernel.ts";
import { Arena } from "../src/tensor/arena.ts";
import { axisOf } from "../src/tensor/axis.ts";
import type { DType, FloatDType } from "../src/tensor/dtype.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { byteLength, elementCount } from "../src/tensor/tensor.ts";

const kernel = loadKernel(1 << 30);
const arena = new Arena(kernel.heapBase, kernel.u8.length);

/** Milliseconds that each line measures for. */
const TIME = 300;

const SHAPES: readonly (readonly [shape: readonly number[], classAxis: number])[] = [
  [[1024, 1000], 1],
  [[64, 128_256], 1],
  [[200_000, 10], 1],
  [[256, 50_257], 1],
  [[16, 21, 256, 256], 1],
  [[8, 1000, 512], 1],
  [[50_000, 10, 5], 1],
];

interface Plan {
  readonly title: string;
  readonly name: FoldName;
  readonly fold: (operands: Operands) => Partial<Fold>;
}

interface Operands {
  readonly out: Tensor;
  readonly indices: Tensor;
  readonly probabilities: Tensor;
}

const PLANS: readonly Plan[] = [
  { title: "log_softmax", name: "logSoftmax", fold: ({ out }) => ({ out }) },
  {
    title: "log_softmax backward",
    name: "logSoftmaxGrad",
    fold: ({ out, probabilities }) => ({ out, target: probabilities }),
  },
  { title: "nll_loss", name: "nll", fold: ({ indices }) => ({ target: indices }) },
  { title: "cross_entropy", name: "crossEntropy", fold: ({ indices }) => ({ target: indices }) },
  {
    title: "cross_entropy + gradient",
    name: "crossEntropy",
    fold: ({ out, indices }) => ({ target: indices, out }),
  },
  {
    title: "cross_entropy smoothed + gradient",
    name: "crossEntropy",
    fold: ({ out, indices }) => ({ target: indices, out, smoothing: 0.1 }),
  },
  {
    title: "cross_entropy of probabilities + gradient",
    name: "softTarget",
    fold: ({ out, probabilities }) => ({ target: probabilities, out }),
  },
];

for (const { title, name, fold } of PLANS) {
  for (const [shape, classAxis] of SHAPES) {
    for (const dtype of ["float32", "bfloat16", "float16", "float64"] as const) {
      const line = `${title.padEnd(42)} ${dtype.padEnd(9)} ${`(${shape.join(", ")})`.padEnd(20)}`;
      if (!line.includes(process.argv[2] ?? "")) continue;
      const speed = measure(dtype, shape, classAxis, name, fold);
      console.log(`${line} ${speed.toFixed(2).padStart(6)}`);
    }
  }
}

function measure(
  dtype: FloatDType,
  shape: readonly number[],
  classAxis: number,
  name: FoldName,
  fold: Plan["fold"],
): number {
  const region = arena.reserve(0);
  const work = { kernel, region };
  const allocate = (type: DType, size: readonly number[]): Tensor => ({
    dtype: type,
    shape: size,
    address: region.alloc(byteLength({ dtype: type, shape: size })),
  });
  const x = allocate(dtype, shape);
  const probabilities = allocate(dtype, shape);
  fill(x, (random) => random * 10 - 5);
  fill(probabilities, (random) => random / 1000);
  const axis = axisOf(shape, classAxis);
  const indices = allocate("int32", shape.toSpliced(classAxis, 1));
  const at = indices.address / 4;
  for (let p = 0; p < axis.outer * axis.inner; p++) kernel.i32[at + p] = (p * 7919) % axis.length;

  const operands = { out: allocate(dtype, shape), indices, probabilities };
  const given = { axis, wide: dtype === "float64", x, lossDType: dtype, ...fold(operands) };
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + TIME;
  while (performance.now() < end) {
    const start = performance.now();
    for (const _ of runFold(work, name, given));
    best = Math.min(best, performance.now() - start);
  }
  region.release();
  return elementCount(shape) / best / 1e6;
}

/** Fills a tensor with numbers of a fixed sequence, the same in every dtype but for rounding. */
function fill(tensor: Tensor, number: (random: number) => number): void {
  const count = elementCount(tensor.shape);
  const region = arena.reserve(count * 8);
  const from: Tensor = { dtype: "float64", shape: tensor.shape, address: region.alloc(count * 8) };
  let state = 1;
  for (let at = 0; at < count; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    kernel.f64[from.address / 8 + at] = number((state >>> 8) / 2 ** 24);
  }
  for (const _ of convertTensor(kernel, from, tensor, count));
  region.release();
}
