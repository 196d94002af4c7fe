import { expect } from "vitest";

/**
 * Equal, but for the last digits of float32: relaxed SIMD leaves to the machine whether a multiplication and an addition
 * round once or twice.
 */
export function expectAlmost(got: unknown, want: unknown): void {
  expect(blur(got)).toEqual(blur(want));
}

function blur(value: unknown): unknown {
  if (typeof value === "number") return Number(value.toPrecision(6)) + 0;
  if (Array.isArray(value)) return value.map(blur);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, blur(part)]));
}
