/**
 * `npm run test:decimals -- [millions] [seed]`: reads so many million random decimal numbers, 100 unless told otherwise, in lists of one form or of
 * mixed ones, and compares each double with that of JSON.parse, bit for bit. It takes minutes, so CI does not run it; bench/RESULTS.md has its last result.
 */

import { uniform } from "../../bench/measure.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { chooseBuild } from "../../src/server/build.ts";
import { Arena } from "../../src/tensor/arena.ts";
import { JsonReader } from "../../src/wire/json/reader.ts";
import { FORM_COUNT, pick, randomNumber } from "../wire/json/random-bodies.ts";

/** Numbers of a list. */
const COUNT = 10_000;

const total = Number(process.argv[2] ?? 100) * 1e6;
const random = uniform(Number(process.argv[3] ?? 1));
const kernel = loadKernel(1 << 24, chooseBuild(true));
const arena = new Arena(kernel.heapBase, kernel.u8.length);
const started = performance.now();
const want = new Float64Array(COUNT);
const wantBits = new BigInt64Array(want.buffer);

let failed = 0;
let done = 0;
for (let form = 0; done < total && failed < 10; form = (form + 1) % (FORM_COUNT + 3), done += COUNT) {
  // Three lists in eighteen are mixed.
  const texts = Array.from({ length: COUNT }, () =>
    randomNumber(random, form < FORM_COUNT ? form : undefined),
  );
  compare(texts, pick(random, [",", ",", ", "]));
  if (done % 1e6 === 0) process.stdout.write(`\r${((done / total) * 100).toFixed(0)} %`);
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`\n${done} numbers, ${failed} failed, ${minutes} minutes`);
process.exitCode = failed > 0 ? 1 : 0;

function compare(texts: readonly string[], separator: string): void {
  const list = `[${texts.join(separator)}]`;
  want.set(JSON.parse(list) as number[]);
  const region = arena.reserve(1 << 23);
  const reader = new JsonReader(kernel, region, "contract");
  reader.push(Buffer.from(`{"input":${list}}`));
  const { address, length } = reader.end().numberSpans[0]!;
  for (let k = 0; k < COUNT; k++) {
    if (length === COUNT && kernel.i64[address / 8 + k] === wantBits[k]) continue;
    console.log(`${texts[k]} read as ${kernel.f64[address / 8 + k]}`);
    if (++failed === 10) break;
  }
  region.release();
}
