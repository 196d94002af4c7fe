/** Writes responses as JSON in pages, so that a response of any size takes constant memory and no step is long. `reader.ts` is its counterpart. */
import type { Kernel } from "../../kernel/load.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Scalar, Tensor } from "../../tensor/tensor.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import type { TensorFormat } from "./tensors.ts";

/** Member of a response: a tensor, a number, or the warnings. */
export type Member = Tensor | Scalar | readonly string[];

/** Members of a response in output order. Undefined ones are omitted. */
export type Members = Readonly<Record<string, Member | undefined>>;

/** Elements with their punctuation, without the outer brackets. */
export interface Elements {
  readonly address: number;
  /** Kernels' code of the element type, and bytes per element. */
  readonly code: number;
  readonly bytes: number;
  readonly shape: readonly number[];
}

/** Bytes to write as base64. */
export interface Base64 {
  readonly address: number;
  readonly byteCount: number;
}

/** Part of a response in output order. */
export type Piece = string | Scalar | Elements | Base64;

/** Format of non-finite numbers: "NaN", "Infinity" and "-Infinity", or null. */
export type NonFinite = "string" | "null";

/** Element type that the kernels print as `[]`. */
const EMPTY_LIST = { code: 63, bytes: 0 };

/**
 * Writes a JSON object with these members in pages. Numbers are the shortest decimals that read back as the same
 * float64, or the same float32 for narrower dtypes. Non-finite numbers are strings, or null if `nonFinite` is "null".
 */
export function writeJson(
  kernel: Kernel,
  members: Members,
  format: TensorFormat,
  nonFinite: NonFinite = "string",
): JsonPages {
  const pieces: Piece[] = [];
  let before = "{";
  for (const name in members) {
    const member = members[name];
    if (member === undefined || (Array.isArray(member) && member.length === 0)) continue;
    pieces.push(`${before}"${name}":`);
    before = ",";
    if ("address" in member) addTensor(pieces, member, format);
    else pieces.push("value" in member ? member : JSON.stringify(member));
  }
  pieces.push(before === "{" ? "{}" : "}");
  return new JsonPages(kernel, pieces, nonFinite);
}

function addTensor(pieces: Piece[], tensor: Tensor, format: TensorFormat): void {
  const { dtype, shape, address } = tensor;
  if (format === "nested") {
    addNested(pieces, tensor);
    return;
  }
  pieces.push(`{"dtype":"${dtype}","shape":[${shape.join()}],`);
  if (format === "flat") {
    pieces.push('"data":');
    addData(pieces, tensor);
    pieces.push("}");
  } else pieces.push('"base64":"', { address, byteCount: byteLength(tensor) }, '"}');
}

/** Adds nested lists. Stops at a size of 0 because only empty lists remain. */
function addNested(pieces: Piece[], { dtype, shape, address }: Tensor): void {
  const empty = shape.indexOf(0);
  const outer = empty < 0 ? shape : shape.slice(0, empty);
  const { code, bytes } = empty < 0 ? DTYPES[dtype] : EMPTY_LIST;
  pieces.push("[".repeat(outer.length), { address, code, bytes, shape: outer }, "]".repeat(outer.length));
}

/** Counts the bytes that a tensor without elements takes as nested lists: the brackets of all levels and their commas. */
export function emptyListBytes(shape: readonly number[]): number {
  let lists = 1;
  let bytes = 2;
  for (const size of shape) {
    if (size === 0) break;
    // The commas between n lists of one level and those between their parents are n - 1 together.
    bytes += 2 * lists * size + lists * (size - 1);
    lists *= size;
  }
  return bytes;
}

/** Adds the elements of a tensor as a flat list, or a number as a list of one. */
export function addData(pieces: Piece[], member: Tensor | Scalar): void {
  if ("value" in member) {
    pieces.push("[", member, "]");
    return;
  }
  const { code, bytes } = DTYPES[member.dtype];
  const shape = [elementCount(member.shape)];
  pieces.push("[", { address: member.address, code, bytes, shape }, "]");
}

/** Most bytes that the kernels write for one element, see `assembly/print/index.ts`. */
const ELEMENT_BYTES = 49;
/** Smallest free space for which a page is continued, enough for any number and several elements. */
const MARGIN_BYTES = 64 * ELEMENT_BYTES;
/** Flag added to a dtype's code to print non-finite numbers as null. */
const NULLS = 64;

const utf8 = new TextEncoder();

/** JSON text of a response, printed page by page. */
export class JsonPages implements Iterable<Buffer> {
  readonly #kernel: Kernel;
  readonly #pieces: readonly Piece[];
  readonly #nulls: number;
  /** Current piece, and its characters, elements or bytes printed so far. */
  #piece = 0;
  #done = 0;
  #at = 0;
  #end = 0;

  constructor(kernel: Kernel, pieces: readonly Piece[], nonFinite: NonFinite = "string") {
    this.#kernel = kernel;
    this.#pieces = pieces;
    this.#nulls = nonFinite === "null" ? NULLS : 0;
  }

  /** Whether everything has been printed. */
  get isDone(): boolean {
    return this.#piece === this.#pieces.length;
  }

  /**
   * Prints into [start, end), which has room for a few thousand bytes, until it is full or everything is printed.
   * Returns the address after the last character.
   */
  print(start: number, end: number): number {
    this.#at = start;
    this.#end = end;
    while (this.#piece < this.#pieces.length) {
      if (!this.#printPiece(this.#pieces[this.#piece]!)) break;
      this.#piece++;
      this.#done = 0;
    }
    return this.#at;
  }

  /** Yields pages of at most 64 KiB. Each is a copy because all responses share the kernels' output buffer. */
  *[Symbol.iterator](): Generator<Buffer, void> {
    while (!this.isDone) yield Buffer.from(this.printShared());
  }

  /** Prints a page into the kernels' output buffer, which all responses share. Returns a view of it. */
  printShared(): Buffer {
    const { exports, u8 } = this.#kernel;
    const end = this.print(exports.outputAt, exports.outputAt + exports.outputBytes);
    return Buffer.from(u8.buffer, exports.outputAt, end - exports.outputAt);
  }

  /** Prints the part of a piece that fits and returns whether the piece is complete. */
  #printPiece(piece: Piece): boolean {
    if (typeof piece === "string") return this.#printText(piece);
    if ("value" in piece) return this.#printScalar(piece);
    return "byteCount" in piece ? this.#printBase64(piece) : this.#printElements(piece);
  }

  #printText(text: string): boolean {
    const { u8 } = this.#kernel;
    for (; this.#done < text.length; this.#done++) {
      const code = text.charCodeAt(this.#done);
      if (code > 127) return this.#printUtf8(text);
      if (this.#at === this.#end) return false;
      u8[this.#at++] = code;
    }
    return true;
  }

  #printUtf8(text: string): boolean {
    const rest = text.slice(this.#done);
    const { read, written } = utf8.encodeInto(rest, this.#kernel.u8.subarray(this.#at, this.#end));
    this.#done += read;
    this.#at += written;
    return this.#done === text.length;
  }

  #printElements({ address, code, bytes, shape }: Elements): boolean {
    const { exports, i32 } = this.#kernel;
    const count = elementCount(shape);
    for (let axis = shape.length - 1, span = 1; axis > 0; axis--) {
      span *= shape[axis]!;
      i32[exports.listLengthsAt / 4 + shape.length - 1 - axis] = span;
    }
    const levels = Math.max(shape.length - 1, 0);
    while (this.#done < count) {
      const room = this.#end - this.#at;
      if (room < MARGIN_BYTES) return false;
      const n = Math.min(count - this.#done, Math.floor(room / ELEMENT_BYTES));
      const from = address + this.#done * bytes;
      this.#at = exports.printElements(from, code + this.#nulls, this.#done, n, levels, this.#at);
      this.#done += n;
    }
    return true;
  }

  #printBase64({ address, byteCount }: Base64): boolean {
    const { exports } = this.#kernel;
    while (this.#done < byteCount) {
      const room = this.#end - this.#at;
      if (room < MARGIN_BYTES) return false;
      const n = Math.min(byteCount - this.#done, Math.floor(room / 4) * 3);
      this.#at = exports.encodeBase64(address + this.#done, n, this.#at);
      this.#done += n;
    }
    return true;
  }

  #printScalar({ dtype, value }: Scalar): boolean {
    if (this.#end - this.#at < MARGIN_BYTES) return false;
    const { exports, f64 } = this.#kernel;
    const { code } = DTYPES[dtype];
    const scratch = exports.outputAt + exports.outputBytes + SCRATCH_OFFSET;
    f64[scratch / 8] = value;
    exports.convert(scratch, DTYPES.float64.code, scratch, code, 1);
    this.#at = exports.printElements(scratch, code + this.#nulls, 0, 1, 0, this.#at);
    return true;
  }
}

/** Offset of the scratch for a single number, beyond the output buffer and the bytes that printers may write past its end. */
const SCRATCH_OFFSET = 64;
