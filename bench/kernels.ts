/**
 * Measures the folds: `npm run bench:kernels -- [word]` prints 10^9 input elements a second, the best of many runs, for each fold,
 * shape and dtype whose line contains the word. It asserts nothing; compare only within one run.
 */
import { elementCount } from "../src/tensor/tensor.ts";
import type { Plan } from "./folds.ts";
import { CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT, LOG_SOFTMAX, openBench, prepare } from "./folds.ts";
import { fastest } from "./measure.ts";

const bench = openBench(1 << 30);

/** Milliseconds of measurement per line. */
const TIME = 300;

const SHAPES: readonly (readonly number[])[] = [
  [1024, 1000],
  [64, 128_256],
  [200_000, 10],
  [256, 50_257],
  [16, 21, 256, 256],
  [8, 1000, 512],
  [50_000, 10, 5],
];

const PLANS: readonly Plan[] = [
  LOG_SOFTMAX,
  {
    title: "log_softmax backward",
    name: "logSoftmaxGrad",
    fold: ({ out, probabilities }) => ({ out, target: probabilities }),
  },
  { title: "nll_loss", name: "nll", fold: ({ indices }) => ({ target: indices }) },
  CROSS_ENTROPY,
  CROSS_ENTROPY_GRADIENT,
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

for (const plan of PLANS) {
  for (const shape of SHAPES) {
    for (const dtype of ["float32", "bfloat16", "float16", "float64"] as const) {
      const line = `${plan.title.padEnd(42)} ${dtype.padEnd(9)} ${`(${shape.join(", ")})`.padEnd(20)}`;
      if (!line.includes(process.argv[2] ?? "")) continue;
      const work = prepare(bench, plan, { dtype, shape, classAxis: 1 });
      const speed = elementCount(shape) / fastest(work.run, TIME) / 1e6;
      work.release();
      console.log(`${line} ${speed.toFixed(2).padStart(6)}`);
    }
  }
}
