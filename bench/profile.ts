/** Profiles the kernels' cost by the number of elements, and the stages of a JSON request. */

import { runToEnd } from "../src/kernel/step.ts";
import { planCrossEntropy } from "../src/loss/cross-entropy.ts";
import { planLogSoftmax } from "../src/loss/log-softmax.ts";
import type { LossResult } from "../src/loss/loss-result.ts";
import type { Plan } from "../src/loss/plan.ts";
import { computeWhole } from "../src/loss/plan.ts";
import type { DType } from "../src/tensor/dtype.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import type { JsonBody } from "../src/wire/json/reader.ts";
import { JsonReader } from "../src/wire/json/reader.ts";
import { describeTensor, toTensor } from "../src/wire/json/tensors.ts";
import { writeJson } from "../src/wire/json/writer.ts";
import type { TensorMemory } from "../src/wire/operands.ts";
import { rowsBody, SMALL } from "./bodies.ts";
import type { Bench } from "./folds.ts";
import { CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT, prepare } from "./folds.ts";
import { CONNECTIONS, httpContender } from "./load.ts";
import { fastest, median } from "./measure.ts";
import type { Server } from "./server.ts";
import { LOSSD, startServer } from "./server.ts";

const TIME = 300;
const SHAPES = [
  [3, 5],
  [1, 1000],
  [10, 1000],
  [100, 1000],
  [1000, 1000],
  [10_000, 1000],
  [100_000, 1000],
];

/** Table of nanoseconds per element by the number of elements. */
export function sizeTable(bench: Bench): string[][] {
  const plans = [CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT];
  const rows = SHAPES.map((shape) => {
    const elements = shape[0]! * shape[1]!;
    const cells = plans.flatMap((plan) => {
      const work = prepare(bench, plan, { dtype: "float32", shape, classAxis: 1 });
      // Runs once before, because the first run of a size allocates its pages.
      work.run();
      const time = fastest(work.run, TIME);
      work.release();
      return [microseconds(time), ((time * 1e6) / elements).toFixed(3)];
    });
    return [shape.join("x"), elements.toLocaleString("en"), ...cells];
  });
  const heads = plans.flatMap(({ title }) => [`${title}, µs`, "ns/element"]);
  return [["shape", "elements", ...heads], ...rows];
}

type Operation = "cross_entropy" | "log_softmax";

interface Request {
  readonly title: string;
  readonly operation: Operation;
  readonly body: string;
}

/** Pieces of the size of a socket's reads. */
const PIECE = 65_536;
const HTTP_MS = 3000;
const WARM_UP_MS = 3000;
/** Requests over LARGE_BYTES use 2 connections, because 12 requests served by slices would all end together, after seconds. */
const LARGE_BYTES = 2 ** 20;
const LARGE_CONNECTIONS = 2;

/** Table of the microseconds of each stage in this process, and between two responses of the server on one core. */
export async function stageTable(bench: Bench): Promise<string[][]> {
  const head = [
    "request",
    "body, bytes",
    "read, µs",
    "compute, µs",
    "print, µs",
    "all over HTTP, µs",
    "HTTP's share",
  ];
  const server = await startServer(LOSSD);
  try {
    const rows: string[][] = [];
    for (const request of requests()) rows.push(await stageRow(bench, server, request));
    return [head, ...rows];
  } finally {
    await server.stop();
  }
}

function requests(): Request[] {
  const rows = [64, 1024].flatMap((count) =>
    (["cross_entropy", "log_softmax"] as const).map((operation) => ({
      title: `${operation} ${count}x1000`,
      operation,
      body: rowsBody(count, 1000, operation),
    })),
  );
  return [{ title: "cross_entropy 3x5", operation: "cross_entropy", body: SMALL }, ...rows];
}

async function stageRow(
  bench: Bench,
  server: Server,
  { title, operation, body }: Request,
): Promise<string[]> {
  const stages = measureStages(bench, operation, Buffer.from(body));
  const contender = httpContender("lossd", {
    url: `${server.url}/v1/${operation}`,
    body,
    type: "application/json",
    connections: body.length < LARGE_BYTES ? CONNECTIONS : LARGE_CONNECTIONS,
  });
  await contender.measure(WARM_UP_MS);
  const total = await contender.measure(HTTP_MS);
  const inProcess = stages.reduce((sum, time) => sum + time, 0);
  const share = `${(100 * (1 - inProcess / total)).toFixed(0)} %`;
  return [title, String(Buffer.byteLength(body)), ...stages.map(microseconds), microseconds(total), share];
}

/** Median milliseconds to read a body, to compute, and to print the response, over runs of all three stages. */
function measureStages({ kernel, arena }: Bench, operation: Operation, body: Buffer): number[] {
  const samples: [number[], number[], number[]] = [[], [], []];
  const end = performance.now() + 2 * TIME;
  while (performance.now() < end) {
    const memory: TensorMemory = { kernel, region: arena.reserve(4 * body.length + PIECE) };
    const start = performance.now();
    const json = read(memory, body);
    const hasRead = performance.now();
    const response = compute(memory, operation, json);
    const hasComputed = performance.now();
    for (const _page of writeJson(kernel, response, "nested"));
    const hasPrinted = performance.now();
    memory.region.release();
    samples[0].push(hasRead - start);
    samples[1].push(hasComputed - hasRead);
    samples[2].push(hasPrinted - hasComputed);
  }
  return samples.map(median);
}

function read({ kernel, region }: TensorMemory, body: Buffer): JsonBody {
  const reader = new JsonReader(kernel, region, "contract");
  for (let at = 0; at < body.length; at += PIECE) reader.push(body.subarray(at, at + PIECE));
  return reader.end();
}

/** Computes the response's tensors from the parsed doubles. */
function compute(
  memory: TensorMemory,
  operation: Operation,
  json: JsonBody,
): Parameters<typeof writeJson>[1] {
  const value = json.value as Readonly<Record<string, unknown>>;
  const operand = (name: string, dtype: DType): Tensor => {
    const { tensor, convert } = toTensor(memory, describeTensor(json, value[name], `/${name}`), dtype);
    if (convert !== undefined) runToEnd([convert]);
    return tensor;
  };
  const input = operand("input", "float32");
  if (operation === "log_softmax") return { output: run(memory, planLogSoftmax(input, { dim: 1 })).output };
  const plan = planCrossEntropy(input, operand("target", "int64"), {});
  const { loss, totalWeight }: LossResult = run(memory, plan);
  return { loss, total_weight: totalWeight };
}

function run<Result>({ kernel, region }: TensorMemory, plan: Plan<Result>): Result {
  const { steps, result } = computeWhole(kernel, plan, region.alloc(plan.bytes));
  runToEnd(steps);
  return result();
}

function microseconds(milliseconds: number): string {
  const value = milliseconds * 1000;
  return value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString("en");
}
