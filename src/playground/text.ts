/** Between what a person types and nested lists of numbers. */

/** A tensor as nested lists; non-finite numbers by their names, as the wire has them. */
export type Nested = number | string | readonly Nested[];

/** Thrown for text that holds no numbers; the message names the place. */
export class TextError extends Error {
  override readonly name = "TextError";
}

const WORDS: Readonly<Record<string, string>> = {
  nan: "NaN",
  inf: "Infinity",
  "+inf": "Infinity",
  "-inf": "-Infinity",
  infinity: "Infinity",
  "-infinity": "-Infinity",
  "-∞": "-Infinity",
  "∞": "Infinity",
};

/**
 * Reads JSON, or rows as a spreadsheet's clipboard has them: one a line, numbers between blanks, tabs, commas or semicolons. One line is a
 * list. Undefined for text without anything.
 */
export function readTensor(text: string): Nested | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  if (/[[\]]/.test(trimmed)) return readJson(trimmed);
  const rows = trimmed.split(/\r?\n/).map((line, at) => readRow(line, at + 1));
  if (rows.length > 1) return rows;
  const [row = []] = rows;
  return row.length === 1 ? row[0]! : row;
}

function readJson(text: string): Nested {
  const strict = text.replaceAll(/"[^"]*"|[-+]?(?:∞|[A-Za-z]+)/g, (word) => {
    const name = WORDS[word.replaceAll('"', "").toLowerCase()];
    return name === undefined ? word : `"${name}"`;
  });
  try {
    return JSON.parse(strict.replaceAll(/,(\s*\])/g, "$1"));
  } catch {
    throw new TextError("This is neither JSON nor rows of numbers.");
  }
}

function readRow(line: string, number: number): Nested[] {
  const words = line.trim().split(/[\s,;]+/);
  return words
    .filter((word) => word !== "")
    .map((word) => {
      const name = WORDS[word.toLowerCase()];
      if (name !== undefined) return name;
      const value = Number(word);
      if (Number.isNaN(value)) throw new TextError(`Line ${number}: ${word} is not a number.`);
      return value;
    });
}

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
