/**
 * Measures parsing and printing of numbers: `npm run bench:text -- [word]` prints megabytes and million numbers a second, the best of
 * many runs, beside JSON.parse and JSON.stringify on the same text, for each line that contains the word. It asserts
 * nothing; compare only within one run.
 */
import { convertStep } from "../src/kernel/convert.ts";
import { runToEnd } from "../src/kernel/step.ts";
import { Arena } from "../src/tensor/arena.ts";
import type { FloatDType } from "../src/tensor/dtype.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { elementCount } from "../src/tensor/tensor.ts";
import { JsonReader } from "../src/wire/json/reader.ts";
import type { TensorFormat } from "../src/wire/json/tensors.ts";
import { writeJson } from "../src/wire/json/writer.ts";
import { openKernel } from "./kernel.ts";
import { fastest, uniform } from "./measure.ts";

const kernel = openKernel(1 << 28);
const arena = new Arena(kernel.heapBase, kernel.u8.length);

/** Milliseconds of measurement per line, and the size of a socket's reads. */
const TIME = 400;
const PIECE = 65_536;
const COUNT = 1_000_000;
/** Count of numbers in a parsed body, small enough for a run between two interruptions of a busy machine. */
const READ_COUNT = 200_000;

const random = uniform();
const numbers = Array.from({ length: COUNT }, () => random() * 10 - 5);

/** Prints exponents like Python, with at least two digits. */
const asPython = (text: string): string => text.replace(/e-(\d)$/, "e-0$1");

const TEXTS: Readonly<Record<string, (value: number) => string>> = {
  "6 decimals": (value) => Math.abs(value / 10).toFixed(6),
  "4 decimals": (value) => value.toFixed(4),
  "float32, shortest": (value) => String(shortestFloat32(value)),
  "float64, 17 digits": (value) => String(value),
  "float64 near 0.001, 17 digits": (value) => String(value / 1000),
  "float64 near 1e-5 of Python, 17 digits": (value) => asPython((value / 1e5).toExponential()),
  "gradients near 1e-5": (value) => String(shortestFloat32(value / 1e5)),
  "gradients near 1e-5 of Python": (value) => asPython(shortestFloat32(value / 1e5).toExponential()),
  integers: (value) => String(Math.round(value * 1000)),
  "class indices": (value) => String(Math.floor(Math.abs(value) * 10_000)),
};

const read = numbers.slice(0, READ_COUNT);
for (const [name, show] of Object.entries(TEXTS)) {
  reading(name, `[${read.map(show).join()}]`);
}
const rounded = read.map((value) => Number(value.toFixed(6)));
reading("6 decimals, white space of Python", `[${rounded.join(", ")}]`);
reading("6 decimals, pretty-printed", JSON.stringify(rounded, undefined, 2));
for (const width of [50_000, 1000, 10, 5, 1]) {
  const rows = Array.from({ length: READ_COUNT / width }, (_, row) =>
    rounded.slice(row * width, (row + 1) * width),
  );
  reading(`nested (${READ_COUNT / width}, ${width})`, JSON.stringify(rows));
}
const base64 = `{"input":{"shape":[${COUNT}],"base64":"${Buffer.alloc(4 * COUNT, "lossd").toString("base64")}"}}`;
report("read base64 float32", COUNT, base64.length, reader(base64), () => JSON.parse(base64));

for (const dtype of ["float32", "float64", "float16", "bfloat16"] as const) {
  writing(`print flat ${dtype}`, dtype, [COUNT], "flat");
}
const gradients = numbers.map((value) => value / 1e5);
writing("print flat float64, gradients near 1e-5", "float64", [COUNT], "flat", gradients);
writing("print flat float64, integers", "float64", [COUNT], "flat", numbers.map(Math.round));
for (const width of [1000, 10, 1]) {
  writing(`print nested float32 (${COUNT / width}, ${width})`, "float32", [COUNT / width, width], "nested");
}
writing("print base64 float32", "float32", [COUNT], "base64");

function reading(title: string, list: string): void {
  const text = `{"input":${list}}`;
  report(`read ${title}`, READ_COUNT, Buffer.byteLength(text), reader(text), () => JSON.parse(text));
}

/** Double with the fewest digits that rounds to this float32. */
function shortestFloat32(value: number): number {
  const float = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(float.toPrecision(digits));
    if (Math.fround(short) === float) return short;
  }
  return Number(float.toPrecision(9));
}

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

function writing(
  title: string,
  dtype: FloatDType,
  shape: readonly number[],
  form: TensorFormat,
  values: readonly number[] = numbers,
): void {
  const region = arena.reserve(16 * COUNT);
  const tensor: Tensor = { dtype, shape, address: region.alloc(8 * COUNT) };
  const source: Tensor = { dtype: "float64", shape, address: region.alloc(8 * COUNT) };
  kernel.f64.set(values, source.address / 8);
  runToEnd([convertStep(kernel, source, tensor, elementCount(shape))]);
  const write = (): number => {
    let bytes = 0;
    for (const page of writeJson(kernel, { output: tensor }, form)) bytes += page.length;
    return bytes;
  };
  report(title, COUNT, write(), write, () => JSON.stringify(values));
  region.release();
}

function report(title: string, count: number, bytes: number, ours: () => void, peer: () => void): void {
  if (!title.includes(process.argv[2] ?? "")) return;
  const show = (work: () => void): string => {
    const best = fastest(work, TIME);
    return `${(bytes / best / 1e3).toFixed(0).padStart(6)} MB/s ${(count / best / 1e3).toFixed(1).padStart(6)} M/s`;
  };
  console.log(`${title.padEnd(42)} ${show(ours)}   JSON: ${show(peer)}`);
}
