/** P11: worst errors against float64 over random rows, compared with PyTorch's on the same float32 numbers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crossEntropy, logSoftmax } from "../src/runtimes/node.ts";
import type { Row } from "./bars.ts";
import { absentRow, BARS } from "./bars.ts";
import { uniform } from "./measure.ts";
import type { Torch } from "./peers/torch.ts";

/** Rows of each distribution: 10^4 in all. */
const ROWS = 2000;
const CLASSES = 1000;

/** Quantities in the order in which peers/torch_bench.py writes them. */
const QUANTITIES = ["log_softmax", "cross_entropy", "gradient"] as const;
type Quantity = (typeof QUANTITIES)[number];
type Answers = Readonly<Record<Quantity, ArrayLike<number>>>;

/** Draws rows before they are rounded to float32. */
const DISTRIBUTIONS: Readonly<Record<string, (random: () => number) => number[]>> = {
  normal: (random) => draw(() => normal(random)),
  "wide (deviation 30)": (random) => draw(() => 30 * normal(random)),
  "near-ties (10 + 1e-5 normal)": (random) => draw(() => 10 + 1e-5 * normal(random)),
  "one dominant (by 5 to 40)": (random) => {
    const row = draw(() => normal(random));
    row[Math.floor(random() * CLASSES)] = 5 + 35 * random();
    return row;
  },
  "long tails (Cauchy)": (random) => draw(() => Math.tan(Math.PI * (random() - 0.5))),
};

/** Worst error of one quantity over rows, absolute and in units of the last place of the true float32 value. */
interface Worst {
  absolute: number;
  ulps: number;
}

/** Worst errors of one quantity over one distribution. */
export interface ErrorLine {
  readonly distribution: string;
  readonly quantity: Quantity;
  readonly ours: Worst;
  readonly torch: Worst | undefined;
}

/** Draws the rows of every distribution and compares; measures only lossd's errors without PyTorch. */
export async function measureErrors(torch: Torch | undefined): Promise<ErrorLine[]> {
  const lines: ErrorLine[] = [];
  for (const [distribution, row] of Object.entries(DISTRIBUTIONS)) {
    const random = uniform(lines.length + 1);
    const x = Float32Array.from(Array.from({ length: ROWS }, () => row(random)).flat());
    const target = chooseTargets(x, random);
    const truth = computeTruth(x, target);
    const ours = computeOurs(x, target);
    const theirs = torch && (await computeTorch(torch, x, target));
    for (const quantity of QUANTITIES) {
      lines.push({
        distribution,
        quantity,
        ours: worst(ours[quantity], truth[quantity]),
        torch: theirs && worst(theirs[quantity], truth[quantity]),
      });
    }
  }
  return lines;
}

/** Rows of the worst absolute error per quantity, and for information the distribution with the worst ratio. */
export function accuracyBars(lines: readonly ErrorLine[]): Row[] {
  return QUANTITIES.flatMap((quantity) => {
    const found = lines.filter((line) => line.quantity === quantity);
    const measure = `worst error of ${quantity} over 10^4 rows`;
    const compared = found.flatMap(({ distribution, ours, torch }) =>
      torch === undefined ? [] : [{ distribution, ours: ours.absolute, theirs: torch.absolute }],
    );
    if (compared.length === 0) return [absentRow("P11", measure, "PyTorch")];
    const ours = Math.max(...compared.map((line) => line.ours));
    const theirs = Math.max(...compared.map((line) => line.theirs));
    const worse = compared.reduce((a, b) => (b.ours / b.theirs > a.ours / a.theirs ? b : a));
    return [
      { ...errorRow(measure, ours, theirs), reach: BARS.P11.reach },
      errorRow(`${quantity}, its worst ratio: ${worse.distribution}`, worse.ours, worse.theirs),
    ];
  });
}

function errorRow(measure: string, ours: number, theirs: number): Row {
  return {
    bar: "P11",
    measure,
    ours: ours.toExponential(2),
    peer: "PyTorch",
    theirs: theirs.toExponential(2),
    value: ours / theirs,
  };
}

/** The table of errors by distribution. */
export function errorTable(lines: readonly ErrorLine[]): string[][] {
  const head = [
    "distribution",
    "of",
    "ours",
    "PyTorch's",
    "ratio",
    "ours in ulp",
    "PyTorch's in ulp",
    "ratio",
  ];
  return [head, ...lines.map(errorCells)];
}

function errorCells({ distribution, quantity, ours, torch }: ErrorLine): string[] {
  const ratio = (a: number, b: number | undefined): string => (b === undefined ? "" : (a / b).toFixed(2));
  return [
    distribution,
    quantity,
    ours.absolute.toExponential(2),
    torch?.absolute.toExponential(2) ?? "",
    ratio(ours.absolute, torch?.absolute),
    ours.ulps.toPrecision(3),
    torch?.ulps.toPrecision(3) ?? "",
    ratio(ours.ulps, torch?.ulps),
  ];
}

function draw(number: () => number): number[] {
  return Array.from({ length: CLASSES }, number);
}

/** Box-Muller transform. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Alternates between the largest logit, whose loss can be close to 0, and a random one. */
function chooseTargets(x: Float32Array, random: () => number): BigInt64Array {
  return BigInt64Array.from({ length: ROWS }, (_, row) => {
    const any = Math.floor(random() * CLASSES);
    return BigInt(row % 2 === 0 ? largest(x.subarray(row * CLASSES, (row + 1) * CLASSES)) : any);
  });
}

function largest(row: Float32Array): number {
  return row.reduce((best, value, at) => (value > row[best]! ? at : best), 0);
}

/** Computes in float64, shifted by the largest logit, whose exp(0) = 1 is left out of the compensated sum and added by log1p. */
function computeTruth(x: Float32Array, target: BigInt64Array): Answers {
  const logs = new Float64Array(x.length);
  const gradient = new Float64Array(x.length);
  const losses = new Float64Array(ROWS);
  for (let n = 0; n < ROWS; n++) {
    const row = x.subarray(n * CLASSES, (n + 1) * CLASSES);
    const top = largest(row);
    const shift = row[top]!;
    const log = Math.log1p(sumOf(row, (value, at) => (at === top ? 0 : Math.exp(value - shift))));
    const y = Number(target[n]);
    row.forEach((value, at) => {
      const logProbability = value - shift - log;
      logs[n * CLASSES + at] = logProbability;
      gradient[n * CLASSES + at] = at === y ? Math.expm1(logProbability) : Math.exp(logProbability);
    });
    losses[n] = -logs[n * CLASSES + y]!;
  }
  return { log_softmax: logs, cross_entropy: losses, gradient };
}

/** Kahan sum with Neumaier's correction for terms larger than the sum. */
function sumOf(row: Float32Array, term: (value: number, at: number) => number): number {
  let sum = 0;
  let lost = 0;
  row.forEach((value, at) => {
    const next = term(value, at);
    const total = sum + next;
    lost += Math.abs(sum) >= Math.abs(next) ? sum - total + next : next - total + sum;
    sum = total;
  });
  return sum + lost;
}

function computeOurs(x: Float32Array, target: BigInt64Array): Answers {
  const input = { dtype: "float32", shape: [ROWS, CLASSES], data: x } as const;
  const indices = { dtype: "int64", shape: [ROWS], data: target } as const;
  return {
    log_softmax: logSoftmax(input, { dim: 1 }).output.data as Float32Array,
    cross_entropy: crossEntropy(input, indices, { reduction: "none" }).losses!.data as Float32Array,
    gradient: crossEntropy(input, indices, { reduction: "sum", returnGrad: true }).gradInput!
      .data as Float32Array,
  };
}

/** Returns PyTorch's results for rows with `x.length / target.length` classes. */
export async function computeTorch(torch: Torch, x: Float32Array, target: BigInt64Array): Promise<Answers> {
  const folder = mkdtempSync(join(tmpdir(), "lossd-bench-"));
  const files = {
    input: join(folder, "input"),
    target: join(folder, "target"),
    output: join(folder, "output"),
  };
  try {
    writeFileSync(files.input, x);
    writeFileSync(files.target, target);
    const rows = target.length;
    await torch.computeRows({ rows, classes: x.length / rows, ...files });
    const all = new Float32Array(new Uint8Array(readFileSync(files.output)).buffer);
    return {
      log_softmax: all.subarray(0, x.length),
      cross_entropy: all.subarray(x.length, x.length + rows),
      gradient: all.subarray(x.length + rows),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function worst(answers: ArrayLike<number>, truth: ArrayLike<number>): Worst {
  const found: Worst = { absolute: 0, ulps: 0 };
  for (let at = 0; at < truth.length; at++) {
    const error = Math.abs(answers[at]! - truth[at]!);
    if (!(error <= found.absolute)) found.absolute = error;
    const ulps = error / unitInLastPlace(truth[at]!);
    if (!(ulps <= found.ulps)) found.ulps = ulps;
  }
  return found;
}

/** float32 has 23 bits of fraction; below 2^-126 its numbers are evenly spaced. */
function unitInLastPlace(value: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -126) - 23);
}
