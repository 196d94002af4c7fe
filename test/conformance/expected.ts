/** What lossd must answer to a case, whatever computes it. */
import type { Case, CaseTensor } from "./case.ts";
import { close } from "./case.ts";

/** Cases that lossd answers otherwise on purpose, and why. */
export const DECIDED_OTHERWISE: Readonly<Record<string, string>> = {
  "ls/err/dtype-float16": "float16 is computed, as PyTorch 2.2 and later do",
  "nll/err/input-float16-4d": "float16 is computed, as PyTorch 2.2 and later do",
  "nll/err/target-uint8-4d": "uint8 targets are taken for every rank",
  "ce/err/index-uint8-ls-w-mean": "uint8 targets are taken for every option",
};

/** dtypes that lossd has; a case with another one must be refused. */
export const KNOWN_DTYPES = new Set(["float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8"]);

const EXACT = { rtol: 0, atol: 0 };

export interface Elements {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What is wrong with the result `name` of a case, if anything. */
export function mismatch(
  test: Case,
  name: string,
  got: Elements | undefined,
  want: CaseTensor,
): string | undefined {
  if (got === undefined) return `${name} is missing`;
  const { shape, data } = got;
  const tolerance = name === "indices" ? EXACT : test.tol!;
  if (shape.join() !== want.shape.join()) return `${name} has shape (${shape}), expected (${want.shape})`;
  const at = want.data.findIndex((value, index) => !close(data[index]!, Number(value), tolerance));
  return at < 0 ? undefined : `${name}[${at}] is ${data[at]}, expected ${want.data[at]}`;
}
