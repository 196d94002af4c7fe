/** Compares the page's response with the server's, bit by bit, in every format that the server writes. */

import { elementName, fullNumber } from "../tensors/arithmetic.ts";
import type { DType } from "../tensors/library.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { toNumber } from "../tensors/slices.ts";
import { fromBase64, nest } from "../tensors/typed-arrays.ts";
import type { Body } from "./request.ts";

/** A tensor with a shape in a response. */
interface ShapedTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data?: readonly Nested[];
  readonly base64?: string;
}

/**
 * Returns a sentence about the first difference, or undefined if both have the same members and the same bits. null is
 * any non-finite number, as `non_finite` writes it.
 */
export function differenceOf(own: Body, other: Body): string | undefined {
  const names = [...new Set([...Object.keys(own), ...Object.keys(other)])];
  for (const name of names) {
    if (own[name] === undefined) return `${name} is only in the server's response.`;
    if (other[name] === undefined) return `${name} is not in the server's response.`;
    const found = differenceAt(own[name] as Nested, nestedOf(other[name]), []);
    if (found !== undefined)
      return `${elementName(name, found.at)} is ${found.own} here, and ${found.other} there.`;
  }
  return undefined;
}

interface Difference {
  readonly at: Indices;
  readonly own: string;
  readonly other: string;
}

function differenceAt(own: Nested, other: Nested | null, at: Indices): Difference | undefined {
  if (Array.isArray(own) && Array.isArray(other)) {
    if (own.length !== other.length)
      return { at, own: `a list of ${own.length}`, other: `a list of ${other.length}` };
    for (const [index, one] of own.entries()) {
      const found = differenceAt(one, other[index]!, [...at, index]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return isSame(own, other) ? undefined : { at, own: textOf(own), other: textOf(other) };
}

/** Returns true for the same text, or for numbers of the same bits. Both texts of a float32 have its bits. */
function isSame(own: Nested, other: Nested | null): boolean {
  if (own === other && own !== 0) return true;
  if (other === null) return !Number.isFinite(toNumber(own));
  if (typeof own !== "number" || typeof other !== "number") return false;
  return (
    Object.is(own, other) ||
    (Object.is(Math.fround(own), Math.fround(other)) && isShort(own) && isShort(other))
  );
}

/** Returns true if a number may stand for a float32, which has up to 9 digits. */
function isShort(value: number): boolean {
  return Number(value.toPrecision(9)) === value;
}

function textOf(value: Nested | null): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "number" ? fullNumber(value) : String(value);
}

/** Returns a member as nested lists, from any format. */
function nestedOf(member: unknown): Nested | null {
  if (typeof member !== "object" || member === null || Array.isArray(member)) return member as Nested | null;
  const { dtype, shape, data, base64 } = member as ShapedTensor;
  if (base64 !== undefined) return fromBase64(dtype, shape, base64);
  return nest(data!, shape);
}
