/**
 * The loader of the kernels: numbers only. It gives them their memory, of its final size from the start, and their exports
 * a type. The kernels know no tensor and throw nothing; the rooms above give them addresses and integers.
 */
import { readFileSync } from "node:fs";
import type { ConvertExports } from "./convert.ts";
import type { FoldExports } from "./fold.ts";
import type { TextExports } from "./text.ts";
import { writePowers } from "./text.ts";

/** What `assembly/` exports: addresses are bytes in the kernel's memory, dtypes the codes of `tensor/dtype.ts`. */
export interface KernelExports extends ConvertExports, FoldExports, TextExports {
  readonly heapBase: number;
}

/** The compiled kernels with their memory and views of it, which never detach. */
export interface Kernel {
  readonly run: KernelExports;
  /** The first address that is free for the Arena. */
  readonly heapBase: number;
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

const PAGE = 65_536;
/** WebAssembly's 32-bit addresses end here. */
const MAX_MEMORY_BYTES = 65_536 * PAGE;

let compiled: WebAssembly.Module | undefined;

/** The build with relaxed SIMD, whose fused steps are 1.7 times as fast, or the plain one where the engine refuses it. */
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

/** Exports with the values of globals in their place: reading a WebAssembly.Global costs more than a small loss. */
function withNumbers(exports: WebAssembly.Exports): unknown {
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    value instanceof WebAssembly.Global ? value.value : value,
  ]);
  return Object.fromEntries(entries);
}

/** Loads the kernels with a memory that has room for `size` bytes beyond their own tables. */
export function loadKernel(size: number): Kernel {
  compiled ??= compile();
  const pages = Math.min(Math.ceil(size / PAGE) + TABLE_PAGES, MAX_MEMORY_BYTES / PAGE);
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

/** The kernels' own data (constants, decimal powers, scratch blocks) stay below this many pages. */
const TABLE_PAGES = 48;
