/** The three forms of a tensor in JSON: written by the test, read from the answer, without any of the service's code. */
import type { CaseTensor } from "./case.ts";

export const flat = (tensor: CaseTensor): unknown => tensor;

export const nested = ({ shape, data }: CaseTensor): unknown => nest(shape, data);

export const base64 = ({ dtype, shape, data }: CaseTensor): unknown => ({
  dtype,
  shape,
  base64: bytesOf(dtype, data.map(Number)).toString("base64"),
});

function nest(shape: readonly number[], data: readonly unknown[]): unknown {
  const [size, ...rest] = shape;
  if (size === undefined) return data[0];
  const step = data.length / size;
  return Array.from({ length: size }, (_, at) => nest(rest, data.slice(at * step, (at + 1) * step)));
}

/** The elements of a tensor of an answer, in whatever form it is. */
export function elementsOf(tensor: unknown): { shape: number[]; data: number[] } {
  if (tensor === null || typeof tensor !== "object") return { shape: [], data: [Number(tensor)] };
  if (Array.isArray(tensor)) return unnest(tensor);
  const {
    dtype,
    shape,
    data,
    base64: text,
  } = tensor as {
    dtype: string;
    shape: number[];
    data?: unknown[];
    base64?: string;
  };
  return { shape, data: data?.map(Number) ?? numbersOf(dtype, Buffer.from(text ?? "", "base64")) };
}

function unnest(list: readonly unknown[]): { shape: number[]; data: number[] } {
  const inner = list.map(elementsOf);
  return { shape: [list.length, ...(inner[0]?.shape ?? [])], data: inner.flatMap(({ data }) => data) };
}

const WIDTHS: Readonly<Record<string, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  uint8: 1,
  bool: 1,
};

export function bytesOf(dtype: string, numbers: readonly number[]): Buffer {
  const width = WIDTHS[dtype]!;
  const view = new DataView(new ArrayBuffer(numbers.length * width));
  numbers.forEach((value, at) => {
    const to = at * width;
    if (dtype === "float64") view.setFloat64(to, value, true);
    else if (dtype === "float32") view.setFloat32(to, value, true);
    else if (dtype === "float16") view.setFloat16(to, value, true);
    else if (dtype === "bfloat16") view.setUint16(to, bfloat16Bits(value), true);
    else if (dtype === "int64") view.setBigInt64(to, BigInt(value), true);
    else if (dtype === "int32") view.setInt32(to, value, true);
    else if (dtype === "int16") view.setInt16(to, value, true);
    else view.setUint8(to, value);
  });
  return Buffer.from(view.buffer);
}

export function numbersOf(dtype: string, bytes: Buffer): number[] {
  const width = WIDTHS[dtype]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / width }, (_, at) => {
    const from = at * width;
    if (dtype === "float64") return view.getFloat64(from, true);
    if (dtype === "float32") return view.getFloat32(from, true);
    if (dtype === "float16") return view.getFloat16(from, true);
    if (dtype === "int64") return Number(view.getBigInt64(from, true));
    if (dtype === "int32") return view.getInt32(from, true);
    if (dtype === "uint8") return view.getUint8(from);
    return bfloat16Value(view.getUint16(from, true));
  });
}

const word = new DataView(new ArrayBuffer(4));

function bfloat16Value(bits: number): number {
  word.setUint32(0, bits * 65_536);
  return word.getFloat32(0);
}

/** Nearest even, by way of float32, which is exact for what a shortest decimal of bfloat16 says. */
function bfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
