/** Compares the page's response with the server's, bit by bit. */

import { elementName, fullNumber } from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { toNumber } from "../tensors/slices.ts";
import type { Body } from "./request.ts";
import type { Members, Received } from "./response.ts";

/** Returns a sentence about the first difference, or undefined if both have the same members and the same bits. */
export function differenceOf(own: Body, other: Members): string | undefined {
  const names = [...new Set([...Object.keys(own), ...Object.keys(other)])];
  for (const name of names) {
    if (own[name] === undefined) return `${name} is only in the server's response.`;
    if (other[name] === undefined) return `${name} is not in the server's response.`;
    const found = differenceAt(own[name] as Nested, other[name], []);
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

function differenceAt(own: Nested, other: Received, at: Indices): Difference | undefined {
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
function isSame(own: Nested, other: Received): boolean {
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

function textOf(value: Received): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "number" ? fullNumber(value) : String(value);
}
