/** safetensors files: written by the test, and read from an answer, without any of the service's code. */
import { constants, deflateSync } from "node:zlib";
import type { Case, CaseTensor } from "./case.ts";
import { requestOf } from "./case.ts";
import { bytesOf } from "./forms.ts";

/** The format's names, widest dtype first, in the order in which the reference implementation writes equals. */
const NAMES: Readonly<Record<string, string>> = {
  int64: "I64",
  float64: "F64",
  float32: "F32",
  int32: "I32",
  bfloat16: "BF16",
  float16: "F16",
  int16: "I16",
  uint8: "U8",
  bool: "BOOL",
};

export interface FileTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

export type FileTensors = Readonly<Record<string, FileTensor>>;

/** A case's tensor as bytes. */
export function fileTensor({ dtype, shape, data }: CaseTensor): FileTensor {
  return { dtype, shape, bytes: bytesOf(dtype, data.map(Number)) };
}

/** A tensor whose elements are a function of their row-major number. */
export function tensor(dtype: string, shape: readonly number[], value: (at: number) => number): FileTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return {
    dtype,
    shape,
    bytes: bytesOf(
      dtype,
      Array.from({ length: count }, (_, at) => value(at)),
    ),
  };
}

/** A file in the order of the reference implementation: by dtype, then by name; or with its tensors as they stand. */
export function writeTestFile(
  tensors: FileTensors,
  { metadata = {}, asTheyStand = false }: { metadata?: Record<string, string>; asTheyStand?: boolean } = {},
): Buffer {
  const names = Object.keys(tensors);
  const rank = (name: string): number => Object.keys(NAMES).indexOf(tensors[name]!.dtype);
  if (!asTheyStand) names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  let at = 0;
  const entries = names.map((name) => {
    const { dtype, shape, bytes } = tensors[name]!;
    const begin = at;
    at += bytes.length;
    return [name, { dtype: NAMES[dtype], shape, data_offsets: [begin, at] }];
  });
  const notes = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  const begin = fileBegin(Object.fromEntries([...notes, ...entries]));
  return Buffer.concat([begin, ...names.map((name) => tensors[name]!.bytes)]);
}

/** The beginning of a file: the length of its header, and the header. */
export function fileBegin(header: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

/** The compressed beginning of a file: the first of two rows of float32, flushed, so that a decoder has all of it. */
export function compressedRow(classes: number): Buffer {
  const row = Float32Array.from({ length: classes }, (_, at) => ((at % 4000) * 7919) % 1000);
  const begin = fileBegin({
    input: { dtype: "F32", shape: [2, classes], data_offsets: [0, 2 * row.byteLength] },
  });
  return deflateSync(Buffer.concat([begin, Buffer.from(row.buffer)]), {
    level: 1,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

/** The tensors and the metadata of a file. */
export function readTestFile(file: Buffer): { tensors: FileTensors; metadata: Record<string, string> } {
  const begin = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(file.subarray(8, begin).toString());
  const tensors: Record<string, FileTensor> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    const [known] = Object.entries(NAMES).find(([, format]) => format === dtype)!;
    const [from, to] = data_offsets.map((offset) => begin + offset);
    tensors[name] = { dtype: known, shape, bytes: file.subarray(from, to) };
  }
  return { tensors, metadata };
}

/** A tensor of a file in the form in which JSON would carry it. */
export function base64Of({ dtype, shape, bytes }: FileTensor): unknown {
  return { dtype, shape, base64: bytes.toString("base64") };
}

/** A case's tensors as a file, in the usual order or with the input last, and its options as a query string. */
export function fileRequestOf(
  test: Case,
  { inputLast = false }: { inputLast?: boolean } = {},
): { path: string; body: Buffer } {
  const fields = requestOf(test, fileTensor) as Record<string, unknown>;
  const tensors: Record<string, FileTensor> = {};
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && typeof value === "object") tensors[name] = value as FileTensor;
    else query.set(name, String(value));
  }
  const { input, ...others } = tensors;
  const body = inputLast
    ? writeTestFile({ ...others, input: input! }, { asTheyStand: true })
    : writeTestFile(tensors);
  return { path: `/v1/${test.op}?${query}`, body };
}
