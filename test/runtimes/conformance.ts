/** PyTorch's cases through the library. Runs in every runtime, so it imports no runtime's modules. */

import type * as Lossd from "lossd";
import type { ArrayTensor, DType } from "lossd";
import type { Case, CaseTensor } from "../conformance/case.ts";
import { requestOf, tensorsOf } from "../conformance/case.ts";
import type { Elements } from "../conformance/expected.ts";
import { DECIDED_OTHERWISE, KNOWN_DTYPES, mismatch } from "../conformance/expected.ts";
import { encodeElements, numbersOf } from "../conformance/numbers.ts";

export type Library = Pick<typeof Lossd, "logSoftmax" | "nllLoss" | "crossEntropy" | "klDiv">;
export type Results = Readonly<Record<string, ArrayTensor | number | readonly string[]>>;

const FUNCTIONS = {
  log_softmax: "logSoftmax",
  nll_loss: "nllLoss",
  cross_entropy: "crossEntropy",
  kl_div: "klDiv",
} as const satisfies Record<Case["op"], keyof Library>;

const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const;

/** What a runtime reports. */
export interface Report {
  readonly cases: number;
  readonly failures: readonly string[];
  /** SHA-256 of the texts of all results. */
  readonly digest: string;
}

/** Returns whether the library can be asked: an unknown dtype is only rejected, and a few cases are decided otherwise. */
export function isAsked(test: Case): boolean {
  if (DECIDED_OTHERWISE[test.id] !== undefined) return false;
  return test.expect_error === true || tensorsOf(test).every(({ dtype }) => KNOWN_DTYPES.has(dtype));
}

function arrayTensor({ dtype, shape, data }: CaseTensor): unknown {
  if (!KNOWN_DTYPES.has(dtype)) return { dtype, shape, data };
  const { buffer } = encodeElements(dtype, data.map(Number));
  return { dtype, shape, data: new ARRAYS[dtype as DType](buffer) };
}

export const camelCase = (name: string): string =>
  name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Calls the library with a case. */
export function resultsOf(library: Library, test: Case): Results {
  const { input, target, ...options } = requestOf(test, arrayTensor);
  const named = Object.entries(options).map(([name, value]) => {
    // A number beyond 2^53 is none for the library, which cannot tell it from its neighbors.
    const isBig = Number.isInteger(value) && !Number.isSafeInteger(value);
    return [camelCase(name), isBig ? BigInt(value as number) : value];
  });
  const operands = test.target === undefined ? [input] : [input, target];
  const run = library[FUNCTIONS[test.op]] as unknown as (...args: unknown[]) => Results;
  return run(...operands, Object.fromEntries(named));
}

export function elementsOf(result: Results[string] | undefined): Elements | undefined {
  if (typeof result === "number") return { shape: [], data: [result] };
  if (result === undefined || !("dtype" in result)) return undefined;
  const { dtype, shape, data } = result;
  return { shape, data: numbersOf(dtype, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) };
}

/** Text of numbers that tells all bits but those of a NaN, which WebAssembly leaves to the engine. */
export function textOf(numbers: readonly number[]): string {
  return numbers.map((value) => (Object.is(value, -0) ? "-0" : String(value))).join();
}

/** Runs all cases that the library can be asked. */
export async function runCases(library: Library, cases: readonly Case[]): Promise<Report> {
  const asked = cases.filter(isAsked);
  const failures: string[] = [];
  const texts: string[] = [];
  for (const test of asked) {
    try {
      const results = resultsOf(library, test);
      if (test.expect_error) failures.push(`${test.id}: expected an error`);
      for (const [name, want] of Object.entries(test.expect ?? {})) {
        const found =
          name === "output" ? (results.output ?? results.losses ?? results.loss) : results[camelCase(name)];
        const fault = mismatch(test, name, elementsOf(found), want);
        if (fault !== undefined) failures.push(`${test.id}: ${fault}`);
      }
      texts.push(...Object.values(results).map((result) => textOf(elementsOf(result)?.data ?? [])));
    } catch (error) {
      const { name, message } = error as Error;
      const isExpected = test.expect_error && (name === "LossError" || name === "TypeError");
      if (!isExpected) failures.push(`${test.id}: ${name}: ${message}`);
    }
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\n")));
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
  return { cases: asked.length, failures, digest: hex.join("") };
}
