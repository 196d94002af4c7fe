import { expect } from "vitest";

/** How far apart two roundings of the same float32 result may be. */
const TOLERANCE = 1e-6;

/**
 * Equal, but for the last digits of float32: relaxed SIMD leaves to the machine whether a multiplication and an addition
 * round once or twice.
 */
export function expectAlmost(got: unknown, want: unknown): void {
  expect(align(got, want)).toEqual(want);
}

/** Expects the same numbers, told from one another as Object.is does. Much quicker than toEqual for thousands. */
export function expectSame(got: readonly number[] | undefined, want: readonly number[]): void {
  expect(got?.length).toBe(want.length);
  const at = want.findIndex((value, index) => !Object.is(got![index], value));
  expect(at < 0 ? "the same" : `[${at}] is ${got![at]}, not ${want[at]}`).toBe("the same");
}

/** `got` with the numbers of `want` where the two are close. */
function align(got: unknown, want: unknown): unknown {
  if (typeof got === "number" && typeof want === "number") {
    return Math.abs(got - want) <= TOLERANCE * Math.max(1, Math.abs(want)) ? want : got;
  }
  if (got === null || want === null || typeof got !== "object" || typeof want !== "object") return got;
  if (Array.isArray(got)) return got.map((part, at) => align(part, (want as unknown[])[at]));
  return Object.fromEntries(
    Object.entries(got).map(([key, part]) => [key, align(part, (want as Record<string, unknown>)[key])]),
  );
}
