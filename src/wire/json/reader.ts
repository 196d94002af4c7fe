/** JSON reader: turns the bytes of a body into number spans and options. `writer.ts` is its counterpart. */
import type { Kernel } from "../../kernel/load.ts";
import type { ProblemCode } from "../../problems.ts";
import { excerpt, Problem, pointerStep, rejectAt } from "../../problems.ts";
import type { Region } from "../../tensor/arena.ts";
import { ArenaFull } from "../../tensor/arena.ts";
import { MAX_RANK } from "../../tensor/tensor.ts";

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

function numberSpansOf(records: Int32Array): NumberSpan[] {
  const numberSpans: NumberSpan[] = [];
  for (let at = 0; at < records.length; at += SPAN_WORDS) {
    const rounded = records[at]!;
    const shape: number[] = [];
    for (let axis = 0; axis < records[at + 3]!; axis++) shape.push(records[at + 4 + axis]! >>> 0);
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

/** Error codes by the results in `assembly/scan/state.ts`. */
const ERROR_CODES: readonly (ProblemCode | "full" | undefined)[] = [
  undefined,
  "malformed_json",
  "too_deep",
  "number_too_long",
  "options_too_long",
  "ragged_tensor",
  "invalid_element",
  "invalid_base64",
  "rank_too_high",
  "full",
];

/** Expected input by the states in `assembly/scan/state.ts`. */
const EXPECTED: readonly string[] = [
  "a value",
  'a field name in quotes or "}"',
  "a field name in quotes",
  "a field name without control characters",
  '":"',
  '"," or a closing bracket',
  'a value or "]"',
  "text without control characters",
  "a valid escape",
  "a hexadecimal digit",
  "a number, a list, a comma or a closing bracket",
  "base64",
  "the end of the body",
];

/** First of these states. */
const VALUE = 0;

// Field offsets of class Scan in assembly/scan/state.ts, in 32-bit words.
const STATE = 0;
const DEPTH = 1;
const SKELETON_LENGTH = 3;
const SPAN_COUNT = 4;
const MEMBERS = 5;
const NEXT = 6;
const STOP = 9;
const STOP_BYTE = 10;
const LEVEL = 11;
const FRAME_WORDS = 3;
const SPAN_WORDS = 12;
const OBJECT = 123;
const QUOTE = 34;
const BACKSLASH = 92;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Body without its numbers. Requests share it if they differ only in their numbers, so its value must not be changed. */
export interface Skeleton {
  readonly value: unknown;
  /** Validator that has accepted the value. */
  acceptedBy: unknown;
  /** Kept by the user of the reader for the next body with this skeleton. */
  repeat: unknown;
}

/** Cache of skeletons by text, because clients repeat their options. */
const skeletons = new Map<string, Skeleton>();
const MAX_SKELETONS = 256;
const MAX_SKELETON_CHARS = 512;

function remember(text: string, skeleton: Skeleton): void {
  if (text.length > MAX_SKELETON_CHARS) return;
  if (skeletons.size >= MAX_SKELETONS) skeletons.clear();
  skeletons.set(text, skeleton);
}

/** Reads a JSON body in chunks. The result does not depend on the chunks' boundaries. */
export class JsonReader {
  readonly #kernel: Kernel;
  readonly #region: Region;
  readonly #scan: number;
  /** Unused end of the last chunk, a token that the next chunk continues. */
  #rest: Uint8Array | undefined;
  /** Bytes of the body scanned so far. */
  #used = 0;

  constructor(kernel: Kernel, region: Region, mode: JsonMode) {
    this.#kernel = kernel;
    this.#region = region;
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
      if (result !== 0) throw this.#error(result);
      this.#rest = stop < end ? u8.slice(stop, end) : undefined;
    }
  }

  /** Returns the whole body. Rejects an incomplete body, invalid UTF-8 and duplicate keys. */
  end(): JsonBody {
    if (this.#kernel.exports.scanIsDone(this.#scan) === 0) {
      throw new Problem(
        "malformed_json",
        `byte ${this.#used}: expected ${this.#expected()}, got the end of the body`,
      );
    }
    this.#region.alloc(Math.max(0, this.#word(NEXT) - this.#region.next));
    const text = this.#skeleton();
    let skeleton = skeletons.get(text);
    if (skeleton === undefined) {
      skeleton = { value: JSON.parse(text), acceptedBy: undefined, repeat: undefined };
      if (countMembers(skeleton.value) !== this.#word(MEMBERS)) throw duplicateKey(text);
      remember(text, skeleton);
    }
    return new JsonBody(skeleton, this.#records());
  }

  #word(place: number): number {
    return this.#kernel.i32[this.#scan / 4 + place]! >>> 0;
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

  #error(result: number): Error {
    const code = ERROR_CODES[result];
    if (code === undefined) throw new Error(`the scanner ended with ${result}`);
    if (code === "full") return new ArenaFull(0);
    const place = `byte ${this.#used}`;
    switch (code) {
      case "ragged_tensor":
        return rejectAt(
          code,
          this.#pointer(true),
          "expected a list of the same length and depth as those beside it",
        );
      case "invalid_element":
        return rejectAt(
          code,
          this.#pointer(true),
          `expected ${ELEMENT}${this.#word(STOP_BYTE) === N ? GOT_NULL : ""}`,
        );
      case "invalid_base64":
        return rejectAt(
          code,
          this.#pointer(false),
          `expected padded base64, which ends at ${place} of the body`,
        );
      case "rank_too_high":
        return rejectAt(code, this.#pointer(false), `expected at most ${MAX_RANK} dimensions`);
      case "too_deep":
        return new Problem(code, `${place}: expected at most 32 levels of brackets`);
      case "number_too_long":
        return new Problem(code, `${place}: expected at most 1000 characters in a number`);
      case "options_too_long":
        return new Problem(
          code,
          `${place}: expected at most 16384 bytes and 32 lists outside of the tensors' numbers`,
        );
      default:
        return new Problem(
          code,
          `${place}: expected ${this.#expected()}, got ${showByte(this.#word(STOP_BYTE))}`,
        );
    }
  }

  /** Describes the input that the scanner expected where it stopped. */
  #expected(): string | undefined {
    const state = this.#word(STATE);
    return state === VALUE && this.#word(DEPTH) === 0 ? "a JSON object" : EXPECTED[state];
  }

  /** Returns the field name that begins at an address of the skeleton, after its quote. */
  #key(start: number): string {
    const { u8 } = this.#kernel;
    let end = start;
    while (u8[end] !== QUOTE) end += u8[end] === BACKSLASH ? 2 : 1;
    return JSON.parse(`"${Buffer.from(u8.subarray(start, end)).toString()}"`);
  }

  /** Returns the pointer to the current value, or to the current element of a number list. */
  #pointer(elements: boolean): string {
    const { exports } = this.#kernel;
    const stack = exports.scanStack / 4;
    const skeleton = this.#scan + exports.scanSkeleton;
    let pointer = "";
    for (let depth = 1; depth <= this.#word(DEPTH); depth++) {
      const frame = stack + depth * FRAME_WORDS;
      if (this.#word(frame) !== OBJECT) {
        pointer += `/${this.#word(frame + 2)}`;
        continue;
      }
      pointer += `/${pointerStep(this.#key(skeleton + this.#word(frame + 1)))}`;
    }
    pointer = excerpt(pointer);
    if (!elements) return pointer;
    const counts = exports.scanCounts / 4;
    for (let level = 1; level <= this.#word(LEVEL); level++) pointer += `/${this.#word(counts + level)}`;
    return pointer;
  }
}

/** Elements and number options, as errors describe them. */
export const ELEMENT = 'a number, "NaN", "Infinity" or "-Infinity"';
/** First letter of null, which some writers use for a number and which is rejected. */
const N = 110;
const GOT_NULL = ', got null; send NaN as "NaN", since orjson, serde_json and pydantic write it as null';

function showByte(byte: number): string {
  if (byte > 32 && byte < 127) return JSON.stringify(String.fromCharCode(byte));
  return `the byte 0x${byte.toString(16).padStart(2, "0")}`;
}

/** Counts the members of all objects in a value, which are fewer than in the text if a key is duplicate. */
function countMembers(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  const inner = Object.values(value);
  let count = Array.isArray(value) ? 0 : inner.length;
  for (const part of inner) count += countMembers(part);
  return count;
}

/** Finds the duplicate key. Called only if there is one. */
function duplicateKey(skeleton: string): Problem {
  const tokens = skeleton.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g) ?? [];
  const open: { names: Set<string> | undefined; path: string; item: number }[] = [];
  let path = "";
  let last = "";
  for (const token of tokens) {
    const top = open.at(-1);
    if (token === "{" || token === "[") {
      open.push({ names: token === "{" ? new Set() : undefined, path, item: 0 });
      if (token === "[") path = `${path}/0`;
    } else if (token === "}" || token === "]") path = open.pop()!.path;
    else if (token === "," && top?.names === undefined && top !== undefined)
      path = `${top.path}/${++top.item}`;
    else if (token === ":" && top?.names !== undefined) {
      const name: string = JSON.parse(last);
      path = `${top.path}/${pointerStep(name)}`;
      if (top.names.has(name)) return rejectAt("duplicate_key", excerpt(path), "duplicate field");
      top.names.add(name);
    }
    last = token;
  }
  return new Problem("duplicate_key", "duplicate field");
}
