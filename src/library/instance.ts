/** Kernels of the library: their module, from the runtime's entry or from `init`, and an instance whose memory grows. */
import type { LossKernel, Views } from "../kernel/kernel.ts";
import { instantiate, MAX_MEMORY_BYTES, PAGE_BYTES, viewsOf } from "../kernel/kernel.ts";
import { compileSync } from "./source.ts";
import type { KernelSource } from "./types.ts";

const MEBIBYTE = 1024 * 1024;

/** Size of a new memory: the kernels' own data and 1 MiB for tensors. */
export const INITIAL_BYTES = 40 * PAGE_BYTES;

/** Pages by which a memory grows at least. */
const GROWTH_BYTES = MEBIBYTE;

/** Size up to which a memory stays for later calls. WebAssembly cannot shrink it, so a larger one is left to the garbage collector. */
const KEPT_BYTES = 64 * MEBIBYTE;

/** Kernels whose views are replaced when their memory grows. */
type GrowingKernel = Omit<LossKernel, keyof Views> & { -readonly [Name in keyof Views]: Views[Name] };

/** Source of the runtime's entry. Undefined if the caller must provide one. */
let findSource: (() => KernelSource) | undefined;
let compiled: WebAssembly.Module | undefined;
let maxBytes = MAX_MEMORY_BYTES;
let kept: Instance | undefined;
let large: WeakRef<Instance> | undefined;

/** Sets the source of this runtime. Bytes and modules are compiled by the first call of a loss, others by `init`. */
export function setSource(source: () => KernelSource): void {
  findSource = source;
}

/** Makes a new instance with a limit of its memory. Throws a LinkError for the module of something else. */
export function replaceInstance(module: WebAssembly.Module, limit: number): void {
  kept = new Instance(module);
  compiled = module;
  maxBytes = limit;
  large = undefined;
}

/** Returns the source of this runtime. Throws an Error if it has none. */
export function sourceOfRuntime(where: string): KernelSource {
  if (findSource !== undefined) return findSource();
  throw new Error(
    `${where}: the kernels are not loaded, and this entry does not know their file; call init with kernel.wasm first`,
  );
}

/** Returns the instance for a call. Throws an Error if the runtime cannot load the kernels by itself. */
export function currentInstance(where: string): Instance {
  const instance = kept ?? large?.deref();
  if (instance !== undefined) return instance;
  compiled ??= compileSync(where, sourceOfRuntime(where));
  kept = new Instance(compiled);
  return kept;
}

/** Kernels with their memory. */
export class Instance {
  /** Its views are valid until the next {@link Instance.reserve}. */
  readonly kernel: LossKernel;
  readonly #growing: GrowingKernel;

  constructor(module: WebAssembly.Module) {
    // Without a maximum, because some engines reserve all of it.
    const memory = new WebAssembly.Memory({ initial: INITIAL_BYTES / PAGE_BYTES });
    this.#growing = instantiate(module, memory);
    this.kernel = this.#growing;
  }

  /** Grows the memory to at least `end` bytes. Throws a RangeError beyond `maxBytes`, or if the engine has no more. */
  reserve(where: string, end: number): void {
    const { memory, u8 } = this.#growing;
    if (end <= u8.length) return;
    const missing = `${where}: no room for ${end - u8.length} more bytes`;
    if (end > maxBytes) throw new RangeError(`${missing}: the memory may take ${maxBytes} bytes (maxBytes)`);
    const size = Math.min(Math.max(end, u8.length + GROWTH_BYTES), maxBytes);
    try {
      memory.grow(Math.ceil(size / PAGE_BYTES) - u8.length / PAGE_BYTES);
    } catch (cause) {
      throw new RangeError(`${missing}: the engine does not let the memory grow beyond ${u8.length} bytes`, {
        cause,
      });
    }
    Object.assign(this.#growing, viewsOf(memory));
    if (size <= KEPT_BYTES) return;
    kept = undefined;
    large = new WeakRef(this);
  }
}
