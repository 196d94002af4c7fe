/** Arithmetic as text: numbers in few digits, and equations that an explanation is made of. */
import type { Indices } from "./slices.ts";

/** Terms of a sum before its dots. */
export const MAX_TERMS = 8;
/** A double below 10 has no more decimals than these. */
const MAX_DECIMALS = 15;

/** Formats a number in at most 4 significant digits with a typographic minus sign. */
export function shortNumber(value: number): string {
  return fullNumber(Number(value.toPrecision(4)));
}

/** Formats a number in all of its digits with a typographic minus sign. */
export function fullNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  return Object.is(value, -0) ? "−0" : String(value).replaceAll("-", "−");
}

/** Formats a number in 4 significant digits or in `decimals` decimals, whichever is more precise. */
export function longNumber(value: number, decimals: number): string {
  return fullNumber(roundTo(value, decimals));
}

/** Rounds a number to the value that {@link longNumber} prints. */
function roundTo(value: number, decimals: number): number {
  const short = Number(value.toPrecision(4));
  const long = Number(value.toFixed(decimals));
  return Math.abs(long - value) < Math.abs(short - value) ? long : short;
}

/** Names an element: `softmax[0, 1]`, or `softmax` for a scalar. */
export function elementName(name: string, at: Indices): string {
  return at.length === 0 ? name : `${name}[${at.join(", ")}]`;
}

/** Returns the fewest decimals of the terms with which a difference still prints the same in 4 digits. */
export function decimalsFor(difference: (round: (term: number) => number) => number): number {
  const shown = shortNumber(difference((term) => term));
  for (let decimals = 0; decimals < MAX_DECIMALS; decimals++) {
    if (shortNumber(difference((term) => roundTo(term, decimals))) === shown) return decimals;
  }
  return MAX_DECIMALS;
}

/** Formats a number for use after an operator: parenthesised if negative. */
export function factor(value: number, decimals = 0): string {
  const text = longNumber(value, decimals);
  return value < 0 ? `(${text})` : text;
}

/** Formats a product without its factors of 1, or `1` if none remain. */
export function product(factors: readonly number[], decimals = 0): string {
  const [first = 1, ...rest] = factors.filter((value) => value !== 1);
  return [longNumber(first, decimals), ...rest.map((value) => factor(value, decimals))].join(" × ");
}

/** Negates a term. */
export function minus(term: string): string {
  return /^[\d.]+$/.test(term) ? `−${term}` : `−(${term})`;
}

/** Formats a sum of a term for each item, shortened to its first terms, or `0` if there are none. */
export function sumOf<Item>(items: readonly Item[], termOf: (item: Item, index: number) => string): string {
  if (items.length === 0) return "0";
  const terms = items.slice(0, MAX_TERMS).map(termOf);
  return [...terms, ...(items.length > MAX_TERMS ? ["..."] : [])].join(" + ");
}

/** Formats `name = arithmetic = value: words`. Omits arithmetic that equals the printed value. */
export function equation(name: string, arithmetic: string, value: number, words: string): string {
  const shown = shortNumber(value);
  const middle = arithmetic === shown ? "" : ` = ${arithmetic}`;
  return `${name}${middle} = ${shown}${words === "" ? "" : `: ${words}`}`;
}
