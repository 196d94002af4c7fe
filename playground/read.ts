/** What a person types or pastes, as nested lists of numbers: JSON, Python lists, what numpy and PyTorch print, spreadsheets, CSV. */
import type { Nested } from "./text.ts";

/** Thrown for text that holds no numbers; the message names the place and what is there. */
export class TextError extends Error {
  override readonly name = "TextError";
}

/** A tensor, and what was left out of the text; empty where nothing was. */
export interface Reading {
  readonly value: Nested;
  readonly note: string;
}

const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const NON_FINITE = /^([-+]?)(?:inf|infinity|∞)$/i;
/** `array(...)` and `tensor(...)` as they are printed, with the arguments behind the numbers. */
const PRINTED = /^(?:(?:np|numpy|torch)\.)?(?:array|tensor)\s*\((.*?)(?:,\s*\w+\s*=[^[\]]*)?\)$/s;
const TOKEN = /\s+|[[\](),;]|"[^"\n]*"|'[^'\n]*'|[^\s[\](),;"']+|["']/y;

/** Undefined for text without anything. Refuses with {@link TextError}. */
export function readTensor(text: string): Reading | undefined {
  // The signs that pages print, this one too.
  const plain = text.replaceAll(/[−–]/g, "-").trim();
  if (plain === "") return undefined;
  if (plain.startsWith("{"))
    throw new TextError("Write numbers or lists; what has a shape and data is for programs.");
  if (/[[(]/.test(plain)) return { value: readLists(PRINTED.exec(plain)?.[1] ?? plain), note: "" };
  return readRows(plain);
}

/** A number as the wire has it; undefined for what is none. */
function readNumber(word: string): number | string | undefined {
  const bare = word.replaceAll(/^["']|["']$/g, "").trim();
  if (/^nan$/i.test(bare)) return "NaN";
  const sign = NON_FINITE.exec(bare)?.[1];
  if (sign !== undefined) return sign === "-" ? "-Infinity" : "Infinity";
  if (!NUMBER.test(bare)) return undefined;
  const value = Number(bare);
  // Beyond the range of doubles, as JSON's readers have it.
  return Number.isFinite(value) ? value : value < 0 ? "-Infinity" : "Infinity";
}

/** Stands in a list where a semicolon was. */
const NEXT_ROW = ";";

/** Lists in brackets or parentheses; commas and blanks separate, semicolons rows. Several lists beside each other are one list. */
function readLists(text: string): Nested {
  const whole: Nested[] = [];
  const open: Nested[][] = [whole];
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    const [word] = token;
    if (/^[\s,]/.test(word)) continue;
    if (word === ";") open.at(-1)!.push(NEXT_ROW);
    else if (word === "[" || word === "(") {
      const list: Nested[] = [];
      open.at(-1)!.push(list);
      open.push(list);
    } else if (word === "]" || word === ")") {
      const list = open.pop()!;
      if (open.length === 0)
        throw new TextError(`${placeIn(text, token.index)}: this ${word} closes nothing.`);
      open.at(-1)!.splice(-1, 1, rowsOf(list));
    } else {
      const value = readNumber(word);
      if (value === undefined) throw new TextError(`${placeIn(text, token.index)}: ${describe(word)}`);
      open.at(-1)!.push(value);
    }
  }
  if (open.length > 1) throw new TextError("A list is not closed: a ] is missing.");
  const all = rowsOf(whole);
  return all.length === 1 ? all[0]! : all;
}

/** A list of numbers with semicolons as a matrix; of one number a row, a list, as {@link readRows} has it. */
function rowsOf(list: readonly Nested[]): readonly Nested[] {
  if (!list.includes(NEXT_ROW)) return list;
  const rows: Nested[][] = [[]];
  for (const one of list) {
    if (one === NEXT_ROW) rows.push([]);
    else rows.at(-1)!.push(one);
  }
  const full = rows.filter((row) => row.length > 0);
  const isMatrix = full.length > 1 && full.some((row) => row.length > 1) && !list.some(Array.isArray);
  return isMatrix ? full : full.flat();
}

function describe(word: string): string {
  const shown = word.length > 40 ? `${word.slice(0, 40)}...` : word;
  return word === "..." ? "... stands for numbers that were left out." : `${shown} is not a number.`;
}

function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split("\n");
  return `Line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

/** Rows, one a line. A row of one number each is a list; one line is a list, and one number a number. */
function readRows(text: string): Reading {
  // Semicolons between numbers with blanks end rows; between single ones they are a separator.
  const isSemicolonRows =
    !text.includes("\t") &&
    text.includes(";") &&
    text.split(/[;\n]/).every((row) => /^\s*$|\S\s+\S/.test(row));
  const separator = text.includes("\t")
    ? "\t"
    : text.includes(";") && !isSemicolonRows
      ? ";"
      : text.includes(",")
        ? ","
        : /\s+/;
  const lines = text
    .split(/\r?\n/)
    .flatMap((line, at) =>
      (isSemicolonRows ? line.split(";") : [line]).flatMap((row) =>
        row.trim() === "" ? [] : [{ line: row, number: at + 1 }],
      ),
    );
  const rows = lines.map(({ line, number }) => ({ number, words: split(line, separator) }));
  const hasHeader =
    rows.length > 1 && rows[0]!.words.every((word) => /[a-z]/i.test(word) && readNumber(word) === undefined);
  const values = rows
    .slice(hasHeader ? 1 : 0)
    .map(({ number, words }) => words.map((word, at) => readCell(word, number, at)));
  const note = hasHeader ? "The first line has no numbers and was left out." : "";
  const list = values.length > 1 && values.every((row) => row.length === 1) ? values.flat() : values;
  const value = list.length > 1 ? list : values[0]!;
  return { value: value.length === 1 ? value[0]! : value, note };
}

/** The cells of a line; a separator at its end has none behind it. */
function split(line: string, separator: string | RegExp): string[] {
  const words = line
    .trim()
    .split(separator)
    .map((word) => word.trim());
  return words.length > 1 && words.at(-1) === "" ? words.slice(0, -1) : words;
}

function readCell(word: string, line: number, at: number): Nested {
  const value = readNumber(word);
  if (value !== undefined) return value;
  if (word === "") throw new TextError(`Line ${line}: number ${at + 1} is missing.`);
  const hint = /^[-+]?\d+,\d+$/.test(word) ? " Write a point for the decimal comma." : "";
  throw new TextError(`Line ${line}: ${describe(word)}${hint}`);
}
