/** Nested lists of numbers, and how they are written for people. */

/** A tensor as nested lists; non-finite numbers by their names, as the wire has them. */
export type Nested = number | string | readonly Nested[];

/** Writes a tensor as it is best looked at: a row a line. */
export function writeTensor(value: Nested): string {
  if (!Array.isArray(value)) return String(value);
  if (!value.some(Array.isArray)) return `[${value.map(write).join(", ")}]`;
  return JSON.stringify(value).replaceAll("],", "],\n").replaceAll(",", ", ").replaceAll(", \n", ",\n");
}

function write(value: Nested): string {
  return typeof value === "number" ? String(value) : `"${String(value)}"`;
}

/** A number of the wire as a number. */
export function toNumber(value: unknown): number {
  return typeof value === "string" ? Number(value) : (value as number);
}

/** A number in a cell: at most 4 significant digits, a real minus sign. */
export function shortNumber(value: number): string {
  return wholeNumber(Number(value.toPrecision(4)));
}

/** A number with all of its digits, and a real minus sign. */
export function wholeNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  return String(value).replaceAll("-", "−");
}

/** A number in 4 significant digits, or in this many decimals where they say more. */
export function longNumber(value: number, decimals: number): string {
  return wholeNumber(cutTo(value, decimals));
}

/** What {@link longNumber} writes, as a number. */
export function cutTo(value: number, decimals: number): number {
  const short = Number(value.toPrecision(4));
  const long = Number(value.toFixed(decimals));
  return Math.abs(long - value) < Math.abs(short - value) ? long : short;
}

/** The sizes of nested lists, by their first elements. */
export function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...(value.length > 0 ? shapeOf(value[0]) : [])] : [];
}
