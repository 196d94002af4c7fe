/**
 * How fast text becomes numbers and numbers text: `npm run bench:text -- [word]` prints megabytes and million numbers a second, the best of
 * many runs, beside JSON.parse and JSON.stringify on the same text, for each line that contains the word. Nothing is
 * asserted; compare only within one run.
 */
import { convertStep } from "../src/kernel/convert.ts";
import { loadKernel } from "../src/kernel/kernel.ts";
import { runToEnd } from "../src/kernel/step.ts";
import { Arena } from "../src/tensor/arena.ts";
import type { FloatDType } from "../src/tensor/dtype.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { elementCount } from "../src/tensor/tensor.ts";
import { JsonReader } from "../src/wire/json.ts";
import { writeJson } from "../src/wire/json-write.ts";
import type { Form } from "../src/wire/tensors.ts";
import { fastest, uniform } from "./measure.ts";

const kernel = loadKernel(1 << 28);
const arena = new Arena(kernel.heapBase, kernel.u8.length);

/** Milliseconds that each line measures for, and the size of the pieces in which a socket hands over a body. */
const TIME = 400;
const PIECE = 65_536;
const COUNT = 1_000_000;

const random = uniform();
const numbers = Array.from({ length: COUNT }, () => random() * 10 - 5);

const TEXTS: Readonly<Record<string, (value: number) => string>> = {
  "6 decimals": (value) => Math.abs(value / 10).toFixed(6),
  "4 decimals": (value) => value.toFixed(4),
  "float32, 8 or 9 digits": (value) => String(Number(value.toPrecision(8))),
  "float64, 17 digits": (value) => String(value),
  "float64 near 0.001, 17 digits": (value) => String(value / 1000),
  "float64, exponents": (value) => value.toExponential(),
  integers: (value) => String(Math.round(value * 1000)),
};

for (const [name, show] of Object.entries(TEXTS)) {
  const flat = `{"input":[${numbers.map(show).join()}]}`;
  report(`read ${name}`, Buffer.byteLength(flat), reader(flat), () => JSON.parse(flat));
}
for (const width of [1000, 10, 1]) {
  const rows = Array.from({ length: COUNT / width }, (_, row) =>
    numbers.slice(row * width, (row + 1) * width),
  );
  const text = `{"input":${JSON.stringify(rows.map((row) => row.map((value) => Number(value.toFixed(6)))))}}`;
  report(`read nested (${COUNT / width}, ${width})`, text.length, reader(text), () => JSON.parse(text));
}
const base64 = `{"input":{"shape":[${COUNT}],"base64":"${Buffer.alloc(4 * COUNT, "lossd").toString("base64")}"}}`;
report("read base64 float32", base64.length, reader(base64), () => JSON.parse(base64));

for (const dtype of ["float32", "float64", "float16", "bfloat16"] as const) {
  writing(`print flat ${dtype}`, dtype, [COUNT], "flat");
}
for (const width of [1000, 10, 1]) {
  writing(`print nested float32 (${COUNT / width}, ${width})`, "float32", [COUNT / width, width], "nested");
}
writing("print base64 float32", "float32", [COUNT], "base64");

function reader(text: string): () => void {
  const bytes = Buffer.from(text);
  return () => {
    const region = arena.reserve(4 * bytes.length + 65_536);
    const json = new JsonReader(kernel, region, "contract");
    for (let at = 0; at < bytes.length; at += PIECE) json.push(bytes.subarray(at, at + PIECE));
    json.end();
    region.release();
  };
}

function writing(title: string, dtype: FloatDType, shape: readonly number[], form: Form): void {
  const region = arena.reserve(16 * COUNT);
  const tensor: Tensor = { dtype, shape, address: region.alloc(8 * COUNT) };
  const source: Tensor = { dtype: "float64", shape, address: region.alloc(8 * COUNT) };
  kernel.f64.set(numbers, source.address / 8);
  runToEnd([convertStep(kernel, source, tensor, elementCount(shape))]);
  const write = (): number => {
    let bytes = 0;
    for (const page of writeJson(kernel, { output: tensor }, form)) bytes += page.length;
    return bytes;
  };
  report(title, write(), write, () => JSON.stringify(numbers));
  region.release();
}

function report(title: string, bytes: number, ours: () => void, peer: () => void): void {
  if (!title.includes(process.argv[2] ?? "")) return;
  const show = (work: () => void): string => {
    const best = fastest(work, TIME);
    return `${(bytes / best / 1e3).toFixed(0).padStart(6)} MB/s ${(COUNT / best / 1e3).toFixed(1).padStart(6)} M/s`;
  };
  console.log(`${title.padEnd(42)} ${show(ours)}   JSON: ${show(peer)}`);
}
