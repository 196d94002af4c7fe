/**
 * `npm run test:float64 -- [millions] [seed]`: prints so many million random float64, 200 unless told otherwise, and compares the text with the
 * scalar reference and with String(). It takes minutes, so CI does not run it; bench/RESULTS.md has its last result.
 */
import { uniform } from "../../bench/measure.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { chooseBuild } from "../../src/server/build.ts";
import { Arena } from "../../src/tensor/arena.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { DOUBLES, undecidedDoubles } from "../kernel/doubles.ts";

/** Numbers of a list: their text fits the printer's buffer. */
const COUNT = 2048;
/** The largest biased exponent of a finite number. */
const LARGEST = 2046;

const total = Number(process.argv[2] ?? 200) * 1e6;
const random = uniform(Number(process.argv[3] ?? 1));
const kernel = loadKernel(1 << 20, chooseBuild(true));
const region = new Arena(kernel.heapBase, kernel.u8.length).reserve(1 << 16);
const address = region.alloc(8 * COUNT);
const { exports, u8 } = kernel;
const { code } = DTYPES.float64;
const started = performance.now();

let failed = 0;
let done = 0;
const kinds = Object.values(DOUBLES);
for (let round = 0; done < total && failed < 10; round++) {
  const kind = kinds[round % (kinds.length + 1)];
  if (kind !== undefined) compare(Array.from({ length: COUNT }, () => kind(random)));
  else for (let k = 0; k < 32; k++) compareUndecided(1 + Math.floor(random() * LARGEST));
  if (round % 500 === 0) process.stdout.write(`\r${((done / total) * 100).toFixed(0)} %`);
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`\n${done} numbers, ${failed} failed, ${minutes} minutes`);
process.exitCode = failed > 0 ? 1 : 0;

function compareUndecided(biased: number): void {
  compare(undecidedDoubles(random, biased));
}

function compare(values: readonly number[]): void {
  kernel.f64.set(values, address / 8);
  const text = printed(exports.printElements(address, code, 0, values.length, 0, exports.outputAt));
  const want = values.map(asJson).join();
  const reference = printed(exports.printReference(address, code, values.length, exports.outputAt));
  done += values.length;
  if (text === want && text === reference) return;
  const texts = text.split(",");
  const references = reference.split(",");
  for (const [k, value] of values.entries()) {
    if (texts[k] === asJson(value) && texts[k] === references[k]) continue;
    console.log(`${value} printed as ${texts[k]}, by the reference as ${references[k]}`);
    if (++failed === 10) break;
  }
}

function printed(end: number): string {
  return Buffer.from(u8.subarray(exports.outputAt, end)).toString("latin1");
}

function asJson(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}
