/** Sentences of arithmetic: a name, how its number is computed from numbers that are shown, the number, and a few words. */
import { pick } from "./planes.ts";
import type { Nested } from "./text.ts";
import { cutTo, longNumber, shapeOf, shortNumber, toNumber } from "./text.ts";

/** Indices of an element. */
export type At = readonly number[];

/** How many terms of a sum are shown. */
const TERMS = 8;

export function numberAt(value: Nested, at: At): number {
  return toNumber(pick(value, at));
}

/** The elements of the line through a place, along a dimension; of a scalar, itself. */
export function lineAt(value: Nested, at: At, dim: number): number[] {
  const length = shapeOf(value)[dim] ?? 1;
  return Array.from({ length }, (_, c) => numberAt(value, at.length === 0 ? [] : at.with(dim, c)));
}

/** `softmax[0, 1]`; of a scalar `softmax`. */
export function named(name: string, at: At): string {
  return at.length === 0 ? name : `${name}[${at.join(", ")}]`;
}

/** How many decimals of a term are shown at most: all that a double has, where it is below 10. */
const DECIMALS = 15;

/** The fewest decimals of the terms with which a difference comes out as it is shown. */
export function decimalsOf(difference: (change: (term: number) => number) => number): number {
  const shown = shortNumber(difference((term) => term));
  for (let decimals = 0; decimals < DECIMALS; decimals++) {
    if (shortNumber(difference((term) => cutTo(term, decimals))) === shown) return decimals;
  }
  return DECIMALS;
}

/** A number behind a sign or an operator. */
export function factor(value: number, decimals = 0): string {
  const text = longNumber(value, decimals);
  return value < 0 ? `(${text})` : text;
}

/** Factors that are not 1, one behind the other; `1` where there are none. */
export function product(factors: readonly number[], decimals = 0): string {
  const [first = 1, ...rest] = factors.filter((one) => one !== 1);
  return [longNumber(first, decimals), ...rest.map((one) => factor(one, decimals))].join(" × ");
}

/** Minus a number or a term. */
export function minus(term: string): string {
  return /^[\d.]+$/.test(term) ? `−${term}` : `−(${term})`;
}

/** The first terms of a sum; `0` where there are none. */
export function sumOf(terms: readonly string[]): string {
  if (terms.length === 0) return "0";
  return [...terms.slice(0, TERMS), ...(terms.length > TERMS ? ["..."] : [])].join(" + ");
}

/** `name = arithmetic = value: words`; arithmetic that is the number itself is not said twice. */
export function sentence(name: string, arithmetic: string, value: number, words: string): string {
  const shown = shortNumber(value);
  const middle = arithmetic === shown ? "" : ` = ${arithmetic}`;
  return `${name}${middle} = ${shown}${words === "" ? "" : `: ${words}`}`;
}
