/**
 * Loads the kernels and gives them a memory of its final size. Kernels take addresses and integers only, know no tensor
 * and throw nothing.
 */
import { readFileSync } from "node:fs";
import type { ConvertExports } from "./convert.ts";
import type { FoldExports } from "./fold.ts";
import type { KlDivExports } from "./kl-div.ts";
import type { LineExports } from "./line-sums.ts";
import type { LogitsExports } from "./logits.ts";
import type { PickExports } from "./picks.ts";
import type { TextExports } from "./text.ts";
import { writePowers } from "./text.ts";

/** Exports of `assembly/`. Addresses are bytes in the kernel's memory, dtypes are the codes of `tensor/dtype.ts`. */
export interface KernelExports
  extends ConvertExports,
    FoldExports,
    KlDivExports,
    LineExports,
    LogitsExports,
    PickExports,
    TextExports {
  readonly heapBase: number;
}

/** Compiled kernels with their memory and views of it, which never detach. */
export interface Kernel {
  readonly run: KernelExports;
  /** First address after the kernels' own data. */
  readonly heapBase: number;
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

const PAGE_BYTES = 65_536;
/** Limit of WebAssembly's 32-bit addresses. */
const MAX_MEMORY_BYTES = 65_536 * PAGE_BYTES;

let compiled: WebAssembly.Module | undefined;

/** Compiles the build with relaxed SIMD, whose fused steps are 1.7 times as fast, or the plain build if the engine rejects it. */
function compile(): WebAssembly.Module {
  const load = (file: string): WebAssembly.Module =>
    new WebAssembly.Module(readFileSync(new URL(file, import.meta.url)));
  try {
    return load("./kernel.wasm");
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    return load("./kernel-plain.wasm");
  }
}

/** Replaces globals by their values because reading a WebAssembly.Global costs more than a small loss. */
function withNumbers(exports: WebAssembly.Exports): unknown {
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    value instanceof WebAssembly.Global ? value.value : value,
  ]);
  return Object.fromEntries(entries);
}

/** Loads the kernels with `size` bytes of memory beyond their own data. */
export function loadKernel(size: number): Kernel {
  compiled ??= compile();
  const pages = Math.min(Math.ceil(size / PAGE_BYTES) + TABLE_PAGES, MAX_MEMORY_BYTES / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { buffer } = memory;
  const bytes = Buffer.from(buffer);
  const parseNumber = (at: number, length: number): number =>
    Number(bytes.toString("latin1", at, at + length));
  const instance = new WebAssembly.Instance(compiled, { env: { memory }, host: { parseNumber } });
  const run = withNumbers(instance.exports) as KernelExports;
  writePowers(run, memory);
  run.fillPrintTables();
  run.fillReadTables();
  return {
    run,
    heapBase: run.heapBase,
    memory,
    u8: new Uint8Array(buffer),
    i32: new Int32Array(buffer),
    i64: new BigInt64Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

/** Upper bound of the kernels' own data (constants, decimal powers, scratch blocks) in pages. */
const TABLE_PAGES = 48;
