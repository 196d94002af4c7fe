/** The three forms of a tensor in JSON: written by the test, read from the answer, without any of the service's code. */
import type { CaseTensor } from "./case.ts";
import { encodeElements, numbersOf } from "./numbers.ts";

export { numbersOf } from "./numbers.ts";

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

export function bytesOf(dtype: string, numbers: readonly number[]): Buffer {
  return Buffer.from(encodeElements(dtype, numbers).buffer);
}
