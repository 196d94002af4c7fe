/**
 * Header of a safetensors file: 8 bytes with its length, then JSON with each tensor's position in the data that follow.
 * Uses its own JSON reader because JSON.parse keeps the last of two equal keys, moves keys such as "0" to the front and
 * accepts 1.0 for 1, which the reference implementation rejects. Reading stops at the first error. Invalid JSON is
 * malformed, and valid JSON that describes no tensor gets a pointer into the header.
 */
import { excerpt, Problem, rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { byteLength, MAX_RANK } from "../../tensor/tensor.ts";
import { HeaderText, invalid, malformed, under } from "./header-text.ts";

/** lossd's limit, enough for ten thousand tensors. The format's limit is 100 MB. */
export const MAX_HEADER_BYTES = 1024 * 1024;

/** Limit of metadata entries, because a hundred thousand would block the event loop for a tenth of a second. */
const MAX_METADATA_ENTRIES = 1000;

/** Format's limit. A longer header means another kind of file, because text read as a length is far larger. */
const FORMAT_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
/** First byte of valid JSON, white space or a brace. */
const BEGINS_JSON: ReadonlySet<number> = new Set(Buffer.from(" \t\n\r{"));
const METADATA = "__metadata__";

/** Name, type and shape of a tensor. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Tensor of a file. Its bytes are [begin, end) of the data after the header. */
export interface Entry extends TensorInfo {
  readonly begin: number;
  readonly end: number;
}

/** Parsed header. */
export interface Header {
  /** Tensors in the order of their data, which have no gaps. Empty tensors keep the header's order. */
  readonly entries: readonly Entry[];
  /** Has no prototype, so that it holds only the file's own names. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes after the header. */
  readonly dataBytes: number;
}

const FORMAT_NAMES: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  uint8: "U8",
};

const BY_FORMAT_NAME: ReadonlyMap<string, DType> = new Map(
  Object.entries(FORMAT_NAMES).map(([dtype, name]) => [name, dtype as DType]),
);

/**
 * Reads the length of the header from the first 8 bytes of a body. `bodyBytes` is the length of the whole body, if
 * known from Content-Length or an early end.
 */
export function readHeaderLength(prefix: Uint8Array, bodyBytes: number | undefined): number {
  if (prefix.length < LENGTH_BYTES) throw shortPrefix(prefix.length);
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length < 2 || length > FORMAT_HEADER_BYTES) {
    const hint = BEGINS_JSON.has(prefix[0]!)
      ? "; this looks like JSON; send it with Content-Type: application/json"
      : "";
    throw malformed(
      `the first 8 bytes give the header's length as ${length}, expected 2 to ${FORMAT_HEADER_BYTES}${hint}`,
    );
  }
  // Checked before the length of the body, which is not known of every body yet.
  if (length > MAX_HEADER_BYTES) {
    throw new Problem(
      "safetensors_header_too_large",
      `expected at most ${MAX_HEADER_BYTES} bytes of header, got ${length}`,
    );
  }
  if (bodyBytes !== undefined && length > bodyBytes - LENGTH_BYTES)
    throw shortHeader(Number(length), bodyBytes);
  return Number(length);
}

/** Creates the problem of a body of fewer than 8 bytes. */
export function shortPrefix(bodyBytes: number): Problem {
  return malformed(`expected ${LENGTH_BYTES} bytes of header length, got ${bodyBytes}`);
}

/** Creates the problem of a body that ends within its header of `length` bytes. */
export function shortHeader(length: number, bodyBytes: number): Problem {
  return malformed(`expected a header of ${length} bytes, got a body that ends after ${bodyBytes} bytes`);
}

/**
 * Reads a header. `dataBytes` is the length of the data, if known from Content-Length, see {@link checkDataBytes}.
 * `accept` checks each tensor's name before the rest is read, so that a header with thousands of unknown tensors is
 * rejected early.
 */
export function readHeader(
  bytes: Uint8Array,
  dataBytes: number | undefined,
  accept: (name: string) => void = () => {},
): Header {
  const text = new HeaderText(bytes);
  const entries: Entry[] = [];
  let metadata: Readonly<Record<string, string>> = Object.create(null);
  for (const name of text.members("", "an object")) {
    if (name === METADATA) metadata = readMetadata(text);
    else {
      accept(name);
      entries.push(readEntry(text, name));
    }
  }
  text.end();
  // An empty tensor precedes another at the same offset because the sort is stable.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const header: Header = { entries, metadata, dataBytes: checkCover(entries) };
  if (dataBytes !== undefined) checkDataBytes(header, dataBytes);
  return header;
}

/** Rejects a body whose data do not end with its last tensor. */
export function checkDataBytes(header: Header, dataBytes: number): void {
  if (header.dataBytes !== dataBytes) throw wrongDataBytes(header, dataBytes);
}

/** Creates the problem of a body whose data do not end with its last tensor. Does not count further bytes, because a chunked body may go on. */
export function wrongDataBytes(header: Header, dataBytes: number): Problem {
  const got = dataBytes > header.dataBytes ? "more" : dataBytes;
  return malformed(`expected ${header.dataBytes} bytes of tensors after the header, got ${got}`);
}

/**
 * Writes the length and the header of a file with these tensors, padded with spaces to a multiple of 8. Names must
 * differ. Unpaired surrogates become U+FFFD because the reference implementation rejects their escapes.
 */
export function writeHeader(
  tensors: readonly TensorInfo[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  const members: string[] = [];
  const notes = Object.entries(metadata).map(([key, value]) => `${quote(key)}:${quote(value)}`);
  if (notes.length > 0) members.push(`"${METADATA}":{${notes.join()}}`);
  let begin = 0;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    const end = begin + byteLength(tensor);
    const entry = `{"dtype":"${FORMAT_NAMES[dtype]}","shape":[${shape.join()}],"data_offsets":[${begin},${end}]}`;
    members.push(`${quote(name)}:${entry}`);
    begin = end;
  }
  const json = Buffer.from(`{${members.join()}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(LENGTH_BYTES + length, " ");
  header.writeBigUInt64LE(BigInt(length));
  header.set(json, LENGTH_BYTES);
  return header;
}

function quote(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

/** Reads the metadata. null means none, as in the reference implementation, whose metadata are an Option. */
function readMetadata(text: HeaderText): Readonly<Record<string, string>> {
  const notes: [string, string][] = [];
  if (text.isNull()) return Object.create(null);
  for (const key of text.members(`/${METADATA}`, "an object of texts")) {
    if (notes.length === MAX_METADATA_ENTRIES)
      throw new Problem("options_too_long", `/${METADATA}: expected at most ${MAX_METADATA_ENTRIES} texts`);
    notes.push([key, text.string(under(`/${METADATA}`, key), "a text")]);
  }
  return Object.setPrototypeOf(Object.fromEntries(notes), null);
}

function readEntry(text: HeaderText, name: string): Entry {
  const pointer = under("", name);
  let dtype: DType | undefined;
  let shape: number[] | undefined;
  let offsets: [number, number] | undefined;
  for (const member of text.members(pointer, "an object with dtype, shape and data_offsets")) {
    if (member === "dtype") dtype = readDType(text, `${pointer}/dtype`);
    else if (member === "shape") shape = readShape(text, `${pointer}/shape`);
    else if (member === "data_offsets") offsets = readOffsets(text, `${pointer}/data_offsets`);
    else throw invalid(under(pointer, member), "expected no member but dtype, shape and data_offsets");
  }
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    throw invalid(pointer, "expected dtype, shape and data_offsets");
  }
  const [begin, end] = offsets;
  const bytes = checkedBytes(dtype, shape, `${pointer}/shape`);
  if (end - begin === bytes) return { name, dtype, shape, begin, end };
  throw rejectAt(
    "shape_data_mismatch",
    `${pointer}/shape`,
    `shape [${excerpt(shape.join(", "))}] of ${dtype} needs ${bytes} bytes, data_offsets give ${end - begin}`,
  );
}

function readDType(text: HeaderText, pointer: string): DType {
  const name = text.string(pointer, "the name of a dtype");
  const dtype = BY_FORMAT_NAME.get(name);
  if (dtype !== undefined) return dtype;
  const names = Object.values(FORMAT_NAMES).join(", ");
  throw rejectAt("dtype_not_supported", pointer, `expected one of ${names}, got ${excerpt(name)}`);
}

function readShape(text: HeaderText, pointer: string): number[] {
  const shape: number[] = [];
  for (const axis of text.items(pointer, "a list of sizes")) {
    if (axis === MAX_RANK) {
      throw rejectAt("rank_too_high", pointer, `expected at most ${MAX_RANK} dimensions`);
    }
    shape.push(text.integer(`${pointer}/${axis}`));
  }
  return shape;
}

function readOffsets(text: HeaderText, pointer: string): [number, number] {
  const offsets: number[] = [];
  for (const at of text.items(pointer, "a list of two offsets")) {
    if (at === 2) throw invalid(pointer, "expected two offsets, got more");
    offsets.push(text.integer(`${pointer}/${at}`));
  }
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined) {
    throw invalid(pointer, `expected two offsets, got ${offsets.length}`);
  }
  if (begin > end) throw invalid(pointer, `expected the begin before the end, got ${begin} and ${end}`);
  return [begin, end];
}

/** Returns the byte length of a tensor. Rejects lengths that are not exact integers, even if the shape has a size of 0. */
function checkedBytes(dtype: DType, shape: readonly number[], pointer: string): number {
  let span = DTYPES[dtype].bytes;
  for (const size of shape) span *= Math.max(size, 1);
  if (span <= Number.MAX_SAFE_INTEGER) return byteLength({ dtype, shape });
  throw rejectAt(
    "shape_data_mismatch",
    pointer,
    `the product of [${excerpt(shape.join(", "))}] of ${dtype} is too large`,
  );
}

/** Returns the end of the last tensor. Rejects gaps and overlaps, in the order of the data. */
function checkCover(entries: readonly Entry[]): number {
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== covered) {
      const fault = begin > covered ? "leaves a gap after" : "overlaps";
      throw invalid(
        `${under("", name)}/data_offsets`,
        `begins at ${begin} and ${fault} the tensors before it, which end at ${covered}`,
      );
    }
    covered = end;
  }
  return covered;
}
