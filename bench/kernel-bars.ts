/** P1 to P4: compares the kernels with PyTorch, ONNX Runtime and TensorFlow.js, and the narrow dtypes with float32. */
import type { FloatDType } from "../src/tensor/dtype.ts";
import { elementCount } from "../src/tensor/tensor.ts";
import type { BarName, Row } from "./bars.ts";
import { absentRow, BARS } from "./bars.ts";
import type { Bench, Plan, Prepared } from "./folds.ts";
import { CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT, LOG_SOFTMAX, prepare } from "./folds.ts";
import type { Contender, Rounds, Timing } from "./measure.ts";
import { alternate, fastest, speedRatio } from "./measure.ts";
import type { KernelPeer, Task } from "./peers/peer.ts";

const ROUNDS: Rounds = { rounds: 7, time: 150 };
const ROWS = [1024, 1000];
const VOCABULARY = [64, 128_256];
/** Segmentation: 16 images of 21 classes at 256 x 256 positions. */
const IMAGES = [16, 21, 256, 256];
const IMAGES_LOG_SOFTMAX_REACH = 3;

interface Measure extends Task {
  readonly bar: BarName;
  /** Ratio to reach over PyTorch; undefined for information. */
  readonly reach: number | undefined;
}

const MEASURES: readonly Measure[] = [
  ...[ROWS, VOCABULARY, IMAGES].map((shape) => lossMeasure("P1", shape, false)),
  ...[ROWS, VOCABULARY, IMAGES].map((shape) => lossMeasure("P2", shape, true)),
  ...[ROWS, VOCABULARY, IMAGES].map((shape) => ({
    bar: "P3" as const,
    operation: "log_softmax" as const,
    shape,
    backward: false,
    reach: shape === IMAGES ? IMAGES_LOG_SOFTMAX_REACH : BARS.P3.reach,
  })),
];

function lossMeasure(bar: "P1" | "P2", shape: readonly number[], backward: boolean): Measure {
  const reach = shape === IMAGES ? undefined : BARS[bar].reach;
  return { bar, operation: "cross_entropy", shape, backward, reach };
}

/** Measures P1, P2 and P3. The bars compare with the first peer, PyTorch; the others are for information. */
export async function kernelBars(
  bench: Bench,
  peers: readonly (KernelPeer | string)[],
  wanted: ReadonlySet<string>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const measure of MEASURES.filter(({ bar }) => wanted.has(bar))) {
    rows.push(...(await compare(bench, peers, measure)));
  }
  return rows;
}

async function compare(
  bench: Bench,
  peers: readonly (KernelPeer | string)[],
  measure: Measure,
): Promise<Row[]> {
  const { bar, shape, reach } = measure;
  const plan = planOf(measure);
  const title = `${plan.title} ${shape.join("x")}`;
  const ours = prepare(bench, plan, { dtype: "float32", shape, classAxis: 1 });
  const contenders: Contender[] = [contender("lossd", ours)];
  for (const peer of peers) {
    const theirs = typeof peer === "string" ? undefined : await peer.prepare(measure);
    if (theirs !== undefined) contenders.push(theirs);
  }
  const [first, ...others] = await alternate(contenders, ROUNDS);
  ours.release();
  const rows = others.map((timing, at) => ({
    bar,
    measure: title,
    ours: speed(shape, first!),
    peer: timing.name,
    theirs: speed(shape, timing),
    ...speedRatio(first!, timing),
    reach: at === 0 && timing.name === nameOf(peers[0]!) ? reach : undefined,
  }));
  const absent = peers.filter((peer) => typeof peer === "string");
  return [...rows, ...absent.map((name) => absentRow(bar, title, name))];
}

function planOf({ operation, backward }: Task): Plan {
  if (operation === "log_softmax") return LOG_SOFTMAX;
  return backward ? CROSS_ENTROPY_GRADIENT : CROSS_ENTROPY;
}

/** Measures P4: the narrow dtypes, alternating with float32. */
export async function narrowBars(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const plan of [CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT]) {
    for (const shape of [ROWS, VOCABULARY]) rows.push(...(await compareDTypes(bench, plan, shape)));
  }
  return rows;
}

async function compareDTypes(bench: Bench, plan: Plan, shape: readonly number[]): Promise<Row[]> {
  const dtypes: readonly FloatDType[] = ["bfloat16", "float16", "float32"];
  const works = dtypes.map((dtype) => prepare(bench, plan, { dtype, shape, classAxis: 1 }));
  const timings = await alternate(
    works.map((work, at) => contender(dtypes[at]!, work)),
    ROUNDS,
  );
  for (const work of works) work.release();
  const [wide, ...narrow] = timings.toReversed();
  return narrow.toReversed().map((timing) => ({
    bar: "P4",
    measure: `${plan.title} ${shape.join("x")}, ${timing.name}`,
    ours: speed(shape, timing),
    peer: "our float32",
    theirs: speed(shape, wide!),
    ...speedRatio(timing, wide!),
    reach: BARS.P4.reach,
  }));
}

function contender(name: string, work: Prepared): Contender {
  return { name, measure: (time) => fastest(work.run, time) };
}

function nameOf(peer: KernelPeer | string): string {
  return typeof peer === "string" ? peer : peer.name;
}

function speed(shape: readonly number[], { median }: Timing): string {
  return `${(elementCount(shape) / median / 1e6).toFixed(2)} Gel/s`;
}
