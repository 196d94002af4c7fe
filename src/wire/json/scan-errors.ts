/** Errors of a scanned JSON body, with the byte or the pointer into the body. A valid body needs none of this. */
import type { Kernel } from "../../kernel/load.ts";
import type { ProblemCode } from "../../problems.ts";
import { excerpt, Problem, pointerStep, rejectAt } from "../../problems.ts";
import { ArenaFull } from "../../tensor/arena.ts";
import { MAX_RANK } from "../../tensor/tensor.ts";
import type { JsonMode } from "./reader.ts";

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
/** Expected input by the states within a string, if the body ends there. */
const EXPECTED_AT_END: Readonly<Record<number, string>> = {
  3: "the closing quote of a field name",
  7: "the closing quote of a text",
};
const END = EXPECTED.at(-1);

// Field offsets of class Scan in assembly/scan/state.ts, in 32-bit words.
const STATE = 0;
const DEPTH = 1;
const STOP_BYTE = 10;
const LEVEL = 11;
const FRAME_WORDS = 3;
const OBJECT = 123;
const QUOTE = 34;
const BACKSLASH = 92;

/** Elements and number options, as errors describe them. */
export const ELEMENT = 'a number, "NaN", "Infinity" or "-Infinity"';
/** Remedies for literals that some writers use for a number, by their first letter. */
const LITERAL_REMEDIES: Readonly<Record<string, string>> = {
  n: ', got null; send NaN as "NaN", since orjson, serde_json and pydantic write it as null',
  t: ", got true; send 1, since no dtype is boolean",
  f: ", got false; send 0, since no dtype is boolean",
};

/** Remedies for bodies that another encoding made, by their first byte, which begins no JSON text. */
const ENCODING_REMEDIES: Readonly<Record<number, string>> = {
  31: "; send a gzip body with Content-Encoding: gzip",
  239: "; send UTF-8 without a byte-order mark",
  254: "; send UTF-8, not UTF-16",
  255: "; send UTF-8, not UTF-16",
};

/** Remedies for bytes after the object. */
const REMEDY_OF_REST: Readonly<Record<JsonMode, string>> = {
  contract: "",
  inference: "; send the length of the JSON before binary data as Inference-Header-Content-Length",
};

/** Returns the remedy for a first byte that begins no JSON text. A safetensors file begins with a length. */
function remedyOfFirst(byte: number, mode: JsonMode): string {
  const file =
    mode === "inference" || isPrintable(byte)
      ? ""
      : "; send a safetensors file with Content-Type: application/vnd.safetensors";
  return ENCODING_REMEDIES[byte] ?? file;
}

const isPrintable = (byte: number): boolean => byte > 32 && byte < 127;

function showByte(byte: number): string {
  if (isPrintable(byte)) return JSON.stringify(String.fromCharCode(byte));
  return `the byte 0x${byte.toString(16).padStart(2, "0")}`;
}

/** Describes a body that ends before its object. */
export function unexpectedEnd(kernel: Kernel, scan: number, used: number): Problem {
  const expected = EXPECTED_AT_END[wordAt(kernel, scan, STATE)] ?? expectedAt(kernel, scan);
  return new Problem("malformed_json", `byte ${used}: expected ${expected}, got the end of the body`);
}

/** Describes where and why the scan of a body of this mode stopped. `used` is the number of bytes before the error. */
export function scanError(kernel: Kernel, scan: number, result: number, used: number, mode: JsonMode): Error {
  const code = ERROR_CODES[result];
  if (code === undefined) throw new Error(`the scanner ended with ${result}`);
  if (code === "full") return new ArenaFull(0);
  const byte = `byte ${used}`;
  switch (code) {
    case "ragged_tensor":
      return rejectAt(
        code,
        pointerOf(kernel, scan, true),
        "expected a list of the same length and depth as those beside it",
      );
    case "invalid_element":
      return rejectAt(
        code,
        pointerOf(kernel, scan, true),
        `expected ${ELEMENT}${LITERAL_REMEDIES[String.fromCharCode(wordAt(kernel, scan, STOP_BYTE))] ?? ""}`,
      );
    case "invalid_base64":
      return rejectAt(
        code,
        pointerOf(kernel, scan, false),
        `expected padded base64, which ends at ${byte} of the body`,
      );
    case "rank_too_high":
      return rejectAt(code, pointerOf(kernel, scan, false), `expected at most ${MAX_RANK} dimensions`);
    case "too_deep":
      return new Problem(code, `${byte}: expected at most 32 levels of brackets`);
    case "number_too_long":
      return new Problem(code, `${byte}: expected at most 1000 characters in a number`);
    case "options_too_long":
      return new Problem(
        code,
        `${byte}: expected at most 16384 bytes and 32 lists outside of the tensors' numbers`,
      );
    default: {
      const got = wordAt(kernel, scan, STOP_BYTE);
      const expected = expectedAt(kernel, scan);
      const remedy = used === 0 ? remedyOfFirst(got, mode) : expected === END ? REMEDY_OF_REST[mode] : "";
      return new Problem(code, `${byte}: expected ${expected}, got ${showByte(got)}${remedy}`);
    }
  }
}

/** Describes the input that the scanner expected where it stopped. */
function expectedAt(kernel: Kernel, scan: number): string | undefined {
  const state = wordAt(kernel, scan, STATE);
  return state === VALUE && wordAt(kernel, scan, DEPTH) === 0 ? "a JSON object" : EXPECTED[state];
}

/** Returns the field name that begins at an address of the skeleton, after its quote. */
function keyAt({ u8 }: Kernel, start: number): string {
  let end = start;
  while (u8[end] !== QUOTE) end += u8[end] === BACKSLASH ? 2 : 1;
  return JSON.parse(`"${Buffer.from(u8.subarray(start, end)).toString()}"`);
}

/** Returns the pointer to the current value, or to the current element of a number list. */
function pointerOf(kernel: Kernel, scan: number, elements: boolean): string {
  const { exports } = kernel;
  const stack = exports.scanStack / 4;
  const skeleton = scan + exports.scanSkeleton;
  let pointer = "";
  for (let depth = 1; depth <= wordAt(kernel, scan, DEPTH); depth++) {
    const frame = stack + depth * FRAME_WORDS;
    if (wordAt(kernel, scan, frame) !== OBJECT) {
      pointer += `/${wordAt(kernel, scan, frame + 2)}`;
      continue;
    }
    pointer += `/${pointerStep(keyAt(kernel, skeleton + wordAt(kernel, scan, frame + 1)))}`;
  }
  pointer = excerpt(pointer);
  if (!elements) return pointer;
  const counts = exports.scanCounts / 4;
  for (let level = 1; level <= wordAt(kernel, scan, LEVEL); level++)
    pointer += `/${wordAt(kernel, scan, counts + level)}`;
  return pointer;
}

/** Returns a field of the scan's state. */
function wordAt({ i32 }: Kernel, scan: number, offset: number): number {
  return i32[scan / 4 + offset]! >>> 0;
}

/** Finds the duplicate key. Called only if there is one. */
export function duplicateKey(skeleton: string): Problem {
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
