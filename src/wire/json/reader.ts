/** JSON reader: turns the bytes of a body into number spans and options. `writer.ts` is its counterpart. */
import type { Kernel } from "../../kernel/load.ts";
import { Problem } from "../../problems.ts";
import type { Region } from "../../tensor/arena.ts";
import { remember, Skeleton } from "../skeleton.ts";
import { duplicateKey, scanError, unexpectedEnd } from "./scan-errors.ts";

/** Lists to read as tensors: the contract's fields, or `data` of the Open Inference Protocol. */
export type JsonMode = "contract" | "inference";

/** Numbers of one tensor, extracted from a body into the Arena as doubles or as the bytes of a base64 text. */
export interface NumberSpan {
  readonly kind: "numbers" | "base64";
  readonly address: number;
  /** Count of numbers or bytes. */
  readonly length: number;
  /** Index of the first number that was rounded to 2^53, if there is one. */
  readonly rounded: number | undefined;
  /** Lengths of the nested lists, outermost first. Empty for base64. */
  readonly shape: readonly number[];
}

/** Scanned body. */
export class JsonBody {
  readonly skeleton: Skeleton;
  /** Records of its number spans, as the scanner wrote them. Bodies with equal records and the same skeleton differ in their numbers only. */
  readonly records: Int32Array;
  #numberSpans: readonly NumberSpan[] | undefined;

  constructor(skeleton: Skeleton, records: Int32Array) {
    this.skeleton = skeleton;
    this.records = records;
  }

  /** The value of JSON.parse, with `[k]` or `"k"` in place of number span k. */
  get value(): unknown {
    return this.skeleton.value;
  }

  get numberSpans(): readonly NumberSpan[] {
    this.#numberSpans ??= numberSpansOf(this.records);
    return this.#numberSpans;
  }
}

/** Words of a span's record: rounded, address, length, rank and 8 sizes (`assembly/scan/state.ts`). */
const SPAN_WORDS = 12;

function numberSpansOf(records: Int32Array): NumberSpan[] {
  const numberSpans: NumberSpan[] = [];
  for (let at = 0; at < records.length; at += SPAN_WORDS) {
    // -1 for base64, otherwise 1 + the index of the first rounded number, or 0.
    const rounded = records[at]!;
    const rank = records[at + 3]!;
    const shape: number[] = [];
    for (let axis = 0; axis < rank; axis++) shape.push(records[at + 4 + axis]! >>> 0);
    numberSpans.push({
      kind: rounded < 0 ? "base64" : "numbers",
      rounded: rounded > 0 ? rounded - 1 : undefined,
      address: records[at + 1]! >>> 0,
      length: records[at + 2]! >>> 0,
      shape,
    });
  }
  return numberSpans;
}

// Field offsets of class Scan in assembly/scan/state.ts, in 32-bit words. scan-errors.ts has those of errors.
const SKELETON_LENGTH = 3;
const SPAN_COUNT = 4;
const MEMBERS = 5;
const NEXT = 6;
const STOP = 9;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const skeletons = new Map<string, Skeleton>();

/** Reads a JSON body in chunks. The result does not depend on the chunks' boundaries. */
export class JsonReader {
  readonly #kernel: Kernel;
  readonly #region: Region;
  readonly #scan: number;
  readonly #mode: JsonMode;
  /** Unused end of the last chunk, a token that the next chunk continues. */
  #rest: Uint8Array | undefined;
  /** Bytes of the body scanned so far. */
  #used = 0;

  constructor(kernel: Kernel, region: Region, mode: JsonMode) {
    this.#kernel = kernel;
    this.#region = region;
    this.#mode = mode;
    const { exports } = kernel;
    this.#scan = region.alloc(exports.scanBytes);
    exports.scanStart(this.#scan, mode === "inference" ? 1 : 0, region.next, region.next + region.left);
  }

  /** Scans a chunk. Rejects invalid JSON and invalid tensors with the byte or the pointer of the error. */
  push(chunk: Uint8Array): void {
    const { exports, u8 } = this.#kernel;
    const input = exports.inputAt;
    for (let at = 0; at < chunk.length; ) {
      const kept = this.#rest?.length ?? 0;
      if (this.#rest !== undefined) u8.set(this.#rest, input);
      const n = Math.min(chunk.length - at, exports.inputBytes - kept);
      u8.set(n === chunk.length ? chunk : chunk.subarray(at, at + n), input + kept);
      at += n;
      const end = input + kept + n;
      const result = exports.scanPiece(this.#scan, input, end);
      const stop = this.#word(STOP);
      this.#used += stop - input;
      if (result !== 0) throw scanError(this.#kernel, this.#scan, result, this.#used, this.#mode);
      this.#rest = stop < end ? u8.slice(stop, end) : undefined;
    }
  }

  /** Returns the whole body. Rejects an incomplete body, invalid UTF-8 and duplicate keys. */
  end(): JsonBody {
    if (this.#kernel.exports.scanIsDone(this.#scan) === 0) {
      throw unexpectedEnd(this.#kernel, this.#scan, this.#used);
    }
    this.#region.alloc(Math.max(0, this.#word(NEXT) - this.#region.next));
    const text = this.#skeleton();
    let skeleton = skeletons.get(text);
    if (skeleton === undefined) {
      skeleton = new Skeleton(JSON.parse(text));
      if (countMembers(skeleton.value) !== this.#word(MEMBERS)) throw duplicateKey(text);
      remember(skeletons, text, skeleton);
    }
    return new JsonBody(skeleton, this.#records());
  }

  /** Returns a field of the scan's state. */
  #word(offset: number): number {
    return this.#kernel.i32[this.#scan / 4 + offset]! >>> 0;
  }

  /** Returns the skeleton as text. One Buffer over the whole memory, whose `toString` needs no view, took 4 % longer per small request. */
  #skeleton(): string {
    const start = this.#scan + this.#kernel.exports.scanSkeleton;
    try {
      return utf8.decode(this.#kernel.u8.subarray(start, start + this.#word(SKELETON_LENGTH)));
    } catch (_error) {
      throw new Problem("malformed_json", "the body is not UTF-8");
    }
  }

  #records(): Int32Array {
    const { i32, exports } = this.#kernel;
    const first = (this.#scan + exports.scanSpans) / 4;
    return i32.subarray(first, first + this.#word(SPAN_COUNT) * SPAN_WORDS);
  }
}

/** Counts the members of all objects in a value, which are fewer than in the text if a key is duplicate. */
function countMembers(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  const inner = Object.values(value);
  let count = Array.isArray(value) ? 0 : inner.length;
  for (const part of inner) count += countMembers(part);
  return count;
}
