/** One share of the patterns: prints them, reads the text back with the service's own reader, and counts those that changed. */

import { parentPort, workerData } from "node:worker_threads";
import { loadKernel } from "../../src/kernel/load.ts";
import { chooseBuild } from "../../src/server/build.ts";
import { Arena } from "../../src/tensor/arena.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { JsonReader } from "../../src/wire/json/reader.ts";

/** Patterns at a time: their text fits the sheet of paper. */
const BLOCK = 1024;
/** How many of them are compared with the engine's own shortest text. */
const STRIDE = 4099;

export interface Share {
  readonly dtype: DType;
  readonly first: number;
  readonly end: number;
}

export interface Progress {
  readonly done: number;
  readonly failures: readonly string[];
}

const { dtype, first, end } = workerData as Share;
const kernel = loadKernel(1 << 22, chooseBuild(true));
const arena = new Arena(kernel.heapBase, kernel.u8.length);
const { code, bytes } = DTYPES[dtype];
const u16 = new Uint16Array(kernel.memory.buffer);
const u32 = new Uint32Array(kernel.memory.buffer);
const words = bytes === 4 ? u32 : u16;
const [magnitude, infinity] =
  bytes === 4 ? [0x7fffffff, 0x7f800000] : [0x7fff, dtype === "float16" ? 0x7c00 : 0x7f80];

let failures: string[] = [];
let done = 0;
for (let from = first; from < end; from += BLOCK) {
  const n = Math.min(BLOCK, end - from);
  check(from, n);
  done += n;
  if (done >= 1 << 22 || from + n === end) {
    parentPort!.postMessage({ done, failures } satisfies Progress);
    done = 0;
    failures = [];
  }
}

function check(from: number, n: number): void {
  const region = arena.reserve(1 << 20);
  const at = region.alloc(BLOCK * bytes);
  for (let i = 0; i < n; i++) words[at / bytes + i] = from + i;
  const paperEnd = kernel.exports.printElements(at, code, 0, n, 0, kernel.exports.outputAt);
  const text = kernel.u8.slice(kernel.exports.outputAt, paperEnd);
  if (bytes === 4) compareReference(at, from, n, text);
  const reader = new JsonReader(kernel, region, "contract");
  for (const piece of [Buffer.from('{"input":['), text, Buffer.from("]}")]) reader.push(piece);
  const cut = reader.end().numberSpans[0]!;
  kernel.exports.convert(cut.address, DTYPES.float64.code, cut.address, code, cut.length);
  if (cut.length !== n) failures.push(`${n} patterns from ${from} were read as ${cut.length} numbers`);
  else for (let i = 0; i < n; i++) compare(from + i, words[cut.address / bytes + i]!);
  if (bytes === 4) compareSample(from, n, text);
  region.release();
}

/** The vector printer writes what the scalar reference writes, byte for byte. */
function compareReference(at: number, from: number, n: number, text: Uint8Array): void {
  const { outputAt } = kernel.exports;
  const end = kernel.exports.printReference(at, code, n, outputAt);
  if (Buffer.compare(kernel.u8.subarray(outputAt, end), text) === 0) return;
  failures.push(`${n} float32 from 0x${from.toString(16)} are not printed as the reference prints them`);
}

/** Equal bits, or both NaN: JSON has one NaN. */
function compare(want: number, got: number): void {
  if (got === want || ((want & magnitude) > infinity && (got & magnitude) > infinity)) return;
  failures.push(`${dtype} 0x${want.toString(16)} was read back as 0x${got.toString(16)}`);
}

/** No text of one digit less may read back as the same float32. */
function compareSample(from: number, n: number, text: Uint8Array): void {
  const i = (STRIDE - (from % STRIDE)) % STRIDE;
  if (i >= n) return;
  const printed = Buffer.from(text).toString().split(",")[i]!;
  const value = Number(printed);
  if (!Number.isFinite(value) || value === 0) return;
  const digits = printed.replace(/e.*/, "").replace(/[-.]/g, "").replace(/^0+/, "").replace(/0+$/, "").length;
  const shorter = digits > 1 && Math.fround(Number(value.toPrecision(digits - 1))) === Math.fround(value);
  if (shorter || String(value) !== printed) failures.push(`float32 ${printed} is not the shortest`);
}
