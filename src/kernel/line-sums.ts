/** Folds over lines whose sums are kept: logsumexp, entropy, and the gradient of everything computed from them. */

import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import type { FoldKernel } from "./fold.ts";
import { FOLD_BYTES, foldWriter } from "./fold.ts";
import type { Step } from "./step.ts";
import { withInit } from "./step.ts";

/** Exports of `assembly/fold.ts` for lines. */
export interface LineExports {
  readonly lineSumsBytes: number;
  /** Byte offsets of the fields `position` and `lines` in the record of a fold. */
  readonly positionOffset: number;
  readonly linesOffset: number;
  lineSumsStep(fold: number, budget: number): number;
  lineGradStep(fold: number, budget: number): number;
}

/** Positions of the largest group of a fold, which a step completes before it stops. */
const MAX_WIDTH = 1008;
/** Positions from which on a step over lines stops. The sums of a chunk of them take 400 KiB at most. */
const CHUNK_POSITIONS = 8192;
const ARRAYS = 5;

/** Sums of a chunk of lines: maximum, logarithm, its rest, sum and entropy, each in the compute dtype. */
export interface Sums {
  readonly address: number;
  /** Bytes from an array to the next. */
  readonly pitch: number;
}

/** Returns the bytes of the {@link Sums} of at most this many lines. */
export function sumsBytes(positions: number, wide: boolean): number {
  return ARRAYS * sumsPitch(positions, wide);
}

/** Returns the bytes of one array of {@link Sums}. */
export function sumsPitch(positions: number, wide: boolean): number {
  return Math.min(positions, CHUNK_POSITIONS + MAX_WIDTH) * (wide ? 8 : 4);
}

/** Classes of a block of a row, see assembly/lines.ts. */
export const ROW_BLOCK = 2048;
/** Largest row that is folded in columns. */
const SMALL_ROW = 64;

/** Returns the bytes for the maxima of `rows` contiguous lines of `classes`. 0 if they are folded in columns. */
export function maximaBytes({ length, inner }: Axis, rows: number): number {
  return inner === 1 && length > SMALL_ROW ? rows * Math.ceil(length / ROW_BLOCK) * 16 : 0;
}

/** Operands of both folds. Tensors of positions begin at the first position of `x`. */
export interface Lines {
  readonly axis: Axis;
  readonly wide: boolean;
  readonly x: Tensor;
  readonly sums: Sums;
  /** Output for the log-probabilities, which may be `x`. */
  readonly out?: Tensor | undefined;
  readonly lse?: Tensor | undefined;
  readonly entropy?: Tensor | undefined;
  /** Address of {@link maximaBytes} bytes for the maxima of the chunk's blocks. */
  readonly maxima?: number | undefined;
}

/** Upstream gradients and the output for the gradient with respect to `x`, which may be `x` or `gradOutput`. */
export interface LineGradients {
  readonly out: Tensor;
  /** Gradient of the log-probabilities, in the shape of `x` and any float dtype. */
  readonly gradOutput: Tensor | undefined;
  readonly gradLse: Tensor | undefined;
  readonly gradEntropy: Tensor | undefined;
}

/** Chunk of positions whose sums are in memory. */
export interface Chunk {
  readonly first: number;
  readonly end: number;
}

/** Bytes of the records of {@link LineFolds}: two folds and their lines. */
export const LINE_RECORDS_BYTES = 2 * FOLD_BYTES + 64;

/** Records of both folds, at an address of {@link LINE_RECORDS_BYTES} bytes. */
export class LineFolds {
  readonly #kernel: FoldKernel & { readonly exports: LineExports };
  readonly #lines: Lines;
  /** Fold that sums, fold of the gradient, and record of lines. */
  readonly #at: number;
  readonly #gradientAt: number;
  readonly #linesAt: number;

  constructor(kernel: FoldKernel & { readonly exports: LineExports }, at: number, lines: Lines) {
    const { foldBytes } = kernel.exports;
    this.#kernel = kernel;
    this.#lines = lines;
    this.#at = at;
    this.#gradientAt = at + foldBytes;
    this.#linesAt = at + 2 * foldBytes;
    const { axis, wide, x, out } = lines;
    foldWriter(kernel, this.#at, { axis, wide, x, out })();
    kernel.i32[(this.#at + kernel.exports.linesOffset) / 4] = this.#linesAt;
  }

  /** Returns whether all positions have been summed. */
  get isDone(): boolean {
    const { axis } = this.#lines;
    return this.#position >= axis.outer * axis.inner;
  }

  get #position(): number {
    const { i32, exports } = this.#kernel;
    return i32[(this.#at + exports.positionOffset) / 4]! >>> 0;
  }

  /** Sums the next chunk of lines, about `elements` of them, and writes their outputs. */
  sum(elements: number): { readonly step: Step; readonly chunk: () => Chunk } {
    const { axis } = this.#lines;
    const first = this.#position;
    const most = Math.min(CHUNK_POSITIONS, Math.floor(elements / Math.max(axis.length, 1)));
    this.#writeLines(first, first + Math.max(most, 1), undefined);
    const step: Step = (budget) => this.#kernel.exports.lineSumsStep(this.#at, budget) !== 0;
    return { step, chunk: () => ({ first, end: this.#position }) };
  }

  /** Writes the gradient of a chunk of lines that has been summed. */
  gradient({ first, end }: Chunk, gradients: LineGradients): Step {
    const { axis, wide, x } = this.#lines;
    const { out, gradOutput } = gradients;
    const write = foldWriter(this.#kernel, this.#gradientAt, { axis, wide, x, out, target: gradOutput });
    const init = (): void => {
      write();
      const { i32, exports } = this.#kernel;
      i32[(this.#gradientAt + exports.linesOffset) / 4] = this.#linesAt;
      i32[(this.#gradientAt + exports.positionOffset) / 4] = first;
      this.#writeLines(first, end, gradients);
    };
    return withInit(init, (budget) => this.#kernel.exports.lineGradStep(this.#gradientAt, budget) !== 0);
  }

  #writeLines(first: number, stop: number, gradients: LineGradients | undefined): void {
    const { sums, lse, entropy, maxima = 0 } = this.#lines;
    const { gradLse, gradEntropy } = gradients ?? {};
    const words = [
      first,
      stop,
      sums.address,
      sums.pitch,
      lse?.address ?? 0,
      entropy?.address ?? 0,
      gradLse?.address ?? 0,
      DTYPES[gradLse?.dtype ?? "float32"].code,
      gradEntropy?.address ?? 0,
      DTYPES[gradEntropy?.dtype ?? "float32"].code,
      maxima,
    ];
    this.#kernel.i32.set(words, this.#linesAt / 4);
  }
}
