/**
 * `npm run test:exhaustive`: every bit pattern of float32 (2^32), float16 and bfloat16 (2^16 each), printed and read back, is the same
 * number, and every float32 has the text of the scalar reference. It takes minutes on two cores, so neither `npm test` nor CI runs it; bench/RESULTS.md has its last result.
 */

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { DType } from "../../src/tensor/dtype.ts";
import type { Progress, Share } from "./worker.ts";

const started = performance.now();
let done = 0;
let failed = 0;

const passed = await Promise.all([
  ...shares("float16", 2 ** 16, 1),
  ...shares("bfloat16", 2 ** 16, 1),
  ...shares("float32", 2 ** 32, availableParallelism()),
]);
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`\n${done} patterns, ${failed} failed, ${minutes} minutes`);
process.exitCode = failed > 0 || !passed.every(Boolean) ? 1 : 0;

function shares(dtype: DType, count: number, workers: number): Promise<boolean>[] {
  const size = Math.ceil(count / workers);
  return Array.from({ length: workers }, (_, k) =>
    work({ dtype, first: k * size, end: Math.min(count, (k + 1) * size) }),
  );
}

function work(share: Share): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: share });
    worker.on("message", (progress: Progress) => {
      done += progress.done;
      failed += progress.failures.length;
      for (const failure of progress.failures.slice(0, 10)) console.log(failure);
      process.stdout.write(`\r${((done / 2 ** 32) * 100).toFixed(1)} %`);
    });
    worker.on("error", reject);
    worker.on("exit", (code) => resolve(code === 0));
  });
}
