/**
 * Compares the picks of log_softmax with cross_entropy on the same logits: `node bench/picks.ts [word]` prints the median,
 * lowest and highest ratio of seven rounds, for each plan, shape and dtype whose line contains the word. It asserts
 * nothing.
 */
import { convertStep } from "../src/kernel/convert.ts";
import { runToEnd } from "../src/kernel/step.ts";
import { planCrossEntropy } from "../src/loss/cross-entropy.ts";
import type { LogSoftmaxResult } from "../src/loss/log-softmax.ts";
import { planLogSoftmax } from "../src/loss/log-softmax.ts";
import type { LossResult } from "../src/loss/loss-result.ts";
import type { Plan } from "../src/loss/plan.ts";
import { computeWhole } from "../src/loss/plan.ts";
import { Arena } from "../src/tensor/arena.ts";
import type { DType, FloatDType } from "../src/tensor/dtype.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { byteLength, elementCount } from "../src/tensor/tensor.ts";
import { openKernel } from "./kernel.ts";
import type { Rounds } from "./measure.ts";
import { alternate, fastest, speedRatio, uniform } from "./measure.ts";

const kernel = openKernel(1 << 30);
const arena = new Arena(kernel.heapBase, kernel.u8.length);
const ROUNDS: Rounds = { rounds: 7, time: 150 };
const PICKS = 20;

const SHAPES: readonly (readonly number[])[] = [
  [64, 128_256],
  [256, 50_257],
  [1024, 1000],
  [20_000, 64],
  [8, 1000, 512],
];

type AnyPlan = Plan<LogSoftmaxResult> | Plan<LossResult>;
type Make = (input: Tensor, index: Tensor) => AnyPlan;

const PLANS: Readonly<Record<string, Make>> = {
  "top 20": (input) => planLogSoftmax(input, { dim: 1, topK: PICKS }),
  "top 1": (input) => planLogSoftmax(input, { dim: 1, topK: 1 }),
  "index of 20": (input, index) => planLogSoftmax(input, { dim: 1, index }),
  "top 20, lse and entropy": (input) =>
    planLogSoftmax(input, { dim: 1, topK: PICKS, returnLse: true, returnEntropy: true }),
};

/** Plans and computes once. */
function run(plan: AnyPlan): void {
  const region = arena.reserve(plan.bytes);
  runToEnd(computeWhole(kernel, plan as Plan<LossResult>, region.alloc(plan.bytes)).steps);
  region.release();
}

for (const shape of SHAPES) {
  for (const dtype of ["float32", "bfloat16", "float16", "float64"] as const) {
    const region = arena.reserve(elementCount(shape) * 16 + (1 << 24));
    const place = (type: DType, size: readonly number[]): Tensor => ({
      dtype: type,
      shape: size,
      address: region.alloc(byteLength({ dtype: type, shape: size })),
    });
    const input = place(dtype, shape);
    const target = place("int64", shape.toSpliced(1, 1));
    const index = place("int64", shape.with(1, PICKS));
    const random = uniform();
    for (const tensor of [target, index]) {
      for (let at = 0; at < elementCount(tensor.shape); at++)
        kernel.i64[tensor.address / 8 + at] = BigInt(Math.floor(random() * shape[1]!));
    }
    fill(input, random);
    for (const [title, make] of Object.entries(PLANS)) {
      const line = `${title.padEnd(24)} ${dtype.padEnd(9)} ${`(${shape.join(", ")})`.padEnd(18)}`;
      if (!line.includes(process.argv[2] ?? "")) continue;
      const contender = (name: string, plan: () => AnyPlan) => ({
        name,
        measure: (milliseconds: number) => fastest(() => run(plan()), milliseconds),
      });
      const [loss, picks] = await alternate(
        [
          contender("cross_entropy", () => planCrossEntropy(input, target, {})),
          contender(title, () => make(input, index)),
        ],
        ROUNDS,
      );
      const { value, range } = speedRatio(picks!, loss!);
      const speed = elementCount(shape) / loss!.median / 1e6;
      const [low, high] = range.map((ratio) => ratio.toFixed(2));
      console.log(`${line} ${value.toFixed(2)} (${low} to ${high}) of ${speed.toFixed(2)} Gel/s`);
    }
    region.release();
  }
}

/** Fills a tensor with about normal numbers of deviation 3. */
function fill(to: Tensor & { dtype: DType }, random: () => number): void {
  const block = 1 << 16;
  const scratch = arena.reserve(block * 8);
  const from = { dtype: "float64" as FloatDType, address: scratch.alloc(block * 8) };
  const count = elementCount(to.shape);
  const { dtype } = to;
  const bytes = byteLength(to) / count;
  for (let at = 0; at < count; at += block) {
    for (let i = 0; i < block; i++)
      kernel.f64[from.address / 8 + i] = 6 * (random() + random() + random() + random() - 2);
    runToEnd([
      convertStep(kernel, from, { dtype, address: to.address + at * bytes }, Math.min(block, count - at)),
    ]);
  }
  scratch.release();
}
