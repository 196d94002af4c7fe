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
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  const text = String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

/** The sizes of nested lists, by their first elements. */
export function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...(value.length > 0 ? shapeOf(value[0]) : [])] : [];
}
