/**
 * Instances of the kernels. Kernels take addresses and integers only, know no tensor and throw nothing. This file needs
 * no runtime's modules, so the losses run wherever WebAssembly does.
 */
import type { ConvertExports } from "./convert.ts";
import type { FoldExports } from "./fold.ts";
import type { KlDivExports } from "./kl-div.ts";
import type { LineExports } from "./line-sums.ts";
import type { LogitsExports } from "./logits.ts";
import type { PickExports } from "./picks.ts";
import type { TargetExports } from "./targets.ts";

/** Exports of `assembly/losses.ts`. Addresses are bytes in the kernels' memory, dtypes are the codes of `tensor/dtype.ts`. */
export interface LossExports
  extends Pick<ConvertExports, "convert">,
    FoldExports,
    KlDivExports,
    LineExports,
    LogitsExports,
    PickExports,
    TargetExports {
  readonly heapBase: number;
}

/** Views of the kernels' memory. They detach when it grows. */
export interface Views {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

/** Kernels of the losses with their memory and views of it. */
export interface LossKernel<Exports extends LossExports = LossExports> extends Views {
  readonly exports: Exports;
  /** First address after the kernels' own data. */
  readonly heapBase: number;
  readonly memory: WebAssembly.Memory;
}

export const PAGE_BYTES = 65_536;
/** Limit of WebAssembly's 32-bit addresses. */
export const MAX_MEMORY_BYTES = 65_536 * PAGE_BYTES;

/** Replaces globals by their values because reading a WebAssembly.Global costs more than a small loss. */
function withNumbers(exports: WebAssembly.Exports): unknown {
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    value instanceof WebAssembly.Global ? value.value : value,
  ]);
  return Object.fromEntries(entries);
}

export function viewsOf({ buffer }: WebAssembly.Memory): Views {
  return {
    u8: new Uint8Array(buffer),
    i32: new Int32Array(buffer),
    i64: new BigInt64Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

/** Makes an instance of a module with these exports over `memory`. `host` has the functions that the module imports. */
export function instantiate<Exports extends LossExports>(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  host: WebAssembly.ModuleImports = {},
): LossKernel<Exports> {
  const instance = new WebAssembly.Instance(module, { env: { memory }, host });
  const exports = withNumbers(instance.exports) as Exports;
  return { exports, heapBase: exports.heapBase, memory, ...viewsOf(memory) };
}
