/** Text to tensor and back: JSON, Python lists, printed NumPy arrays and PyTorch tensors, spreadsheet cells, CSV. */
import type { Nested } from "./slices.ts";
import { MAX_RANK } from "./slices.ts";

/** Thrown for text without numbers. The message names the position and the text found there. */
export class TextError extends Error {
  override readonly name = "TextError";
}

/** A tensor, and a note about text that was skipped, empty if none was. */
export interface ParsedTensor {
  readonly value: Nested;
  readonly note: string;
}

const MAX_EXCERPT_CHARS = 40;
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const INFINITY = /^([-+]?)(?:inf|infinity|∞)$/i;
/** Text before lists: prompts, the name of a variable, and the title of PyTorch's parameters. */
const LEAD = /^(?:(?:>>>|Out\[\d+\]:|Parameter containing:|[a-z_][\w.]*\s*=)\s*)*/i;
/** Python's constructors, which NumPy 2 also prints around each number: `tensor(`, `np.float32(`. */
const CONSTRUCTOR = /(?:[a-z]\w*\.)*(?:(?:as_?)?(?:array|tensor)|b?float\d*|u?int\d*)\s*\(/i;
/** A named argument behind the numbers: `, dtype=torch.float64`, `, shape=(2, 3)`, `, grad_fn=<AddBackward0>`. Matches all of its value or nothing. */
const ARGUMENT =
  /^,\s*[a-z_]\w*\s*=\s*[-+\w.]*(?:\([^()]*\)|\[[^[\]]*\]|<[^>]*>|"[^"]*"|'[^']*')?(?=\s*(?:[,\])]|$))/i;
const TOKEN = new RegExp(
  `${ARGUMENT.source.slice(1)}|${CONSTRUCTOR.source}|${/\s+|[[\](),;]|"[^"\n]*"|'[^'\n]*'|[^\s[\](),;"']+|["']/.source}`,
  "iy",
);

/**
 * Parses a tensor. Returns undefined for blank text.
 *
 * @throws {TextError} for text that is not numbers
 */
export function parseTensor(text: string): ParsedTensor | undefined {
  const plain = toPlain(text).trim();
  if (plain === "") return undefined;
  if (plain.startsWith("{"))
    throw new TextError("Write numbers or lists; objects with shape and data are for programs.");
  if (/[[(]/.test(plain)) return { value: parseLists(plain), note: "" };
  return parseRows(plain);
}

/** Replaces the minus signs and the ends of lines of web pages and text processors, and removes their invisible marks. */
function toPlain(text: string): string {
  return text
    .replaceAll(/\p{Cf}/gu, "")
    .replaceAll(/[\u0085\u2028\u2029]/g, "\n")
    .replaceAll(/[−–]/g, "-");
}

/** Formats a tensor with one row a line. {@link parseTensor} reads it back. */
export function formatTensor(value: Nested): string {
  if (!Array.isArray(value)) return formatNumber(value);
  if (!value.some(Array.isArray)) return `[${value.map(formatElement).join(", ")}]`;
  return toJson(value).replaceAll("],", "],\n").replaceAll(",", ", ").replaceAll(", \n", ",\n");
}

function formatElement(value: Nested): string {
  return typeof value === "string" ? `"${value}"` : formatNumber(value);
}

/** Formats a number like String, but keeps the sign of -0, with a decimal because Python's JSON reads -0 as an integer. */
export function formatNumber(value: unknown): string {
  return Object.is(value, -0) ? "-0.0" : String(value);
}

/** Parses an element as the API spells it. Returns undefined if the word is not a number. */
function parseNumber(word: string): number | bigint | string | undefined {
  const bare = word.replaceAll(/^["']|["']$/g, "").trim();
  if (/^nan$/i.test(bare)) return "NaN";
  const sign = INFINITY.exec(bare)?.[1];
  if (sign !== undefined) return sign === "-" ? "-Infinity" : "Infinity";
  if (!NUMBER.test(bare)) return undefined;
  const value = exactNumber(bare);
  if (typeof value === "bigint" || Number.isFinite(value)) return value;
  // JSON.parse overflows to Infinity in the same way.
  return value < 0 ? "-Infinity" : "Infinity";
}

/**
 * Converts a numeral to a number, or to a bigint if it is an integer literal of 2^53 or more in magnitude.
 *
 * @example exactNumber("9007199254740993") // 9007199254740993n, although Number() returns 9007199254740992
 */
export function exactNumber(numeral: string): number | bigint {
  const value = Number(numeral);
  // The server, too, reads an integer beyond the range of doubles as infinity.
  if (!/^[-+]?\d+$/.test(numeral) || Number.isSafeInteger(value) || !Number.isFinite(value)) return value;
  const magnitude = BigInt(numeral.replace(/^[-+]/, ""));
  return numeral.startsWith("-") ? -magnitude : magnitude;
}

/** Returns JSON like JSON.stringify, which throws for a bigint and writes -0 as 0. */
export function toJson(value: unknown): string {
  if (typeof value === "bigint" || Object.is(value, -0)) return formatNumber(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${toJson(member)}`);
  return `{${members.join(",")}}`;
}

/** Marks a semicolon in a list until {@link splitRows} removes it. */
const ROW_END = ";";

/** A list whose end has not been read. */
interface OpenList {
  readonly list: Nested[];
  /** True for the arguments of a constructor, which are no dimension. */
  readonly isCall: boolean;
}

/** Parses bracketed lists. Commas and blanks separate elements, semicolons separate rows. Adjacent lists become one list. */
function parseLists(text: string): Nested {
  const top: Nested[] = [];
  const open: OpenList[] = [{ list: top, isCall: false }];
  let rank = 0;
  TOKEN.lastIndex = LEAD.exec(text)![0].length;
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    const [word] = token;
    const { list, isCall } = open.at(-1)!;
    if (/^[\s,]+$/.test(word) || (isCall && ARGUMENT.test(word))) continue;
    if (word === ";") list.push(ROW_END);
    else if (word.endsWith("[") || word.endsWith("(")) {
      const next = { list: [], isCall: word.length > 1 };
      if (!next.isCall) rank += 1;
      // Further functions descend into the lists by recursion, for which the stack must suffice.
      if (rank > MAX_RANK)
        throw new TextError(`${positionOf(text, token.index)}: a tensor has at most ${MAX_RANK} dimensions.`);
      list.push(next.list);
      open.push(next);
    } else if (word === "]" || word === ")") {
      open.pop();
      if (open.length === 0)
        throw new TextError(`${positionOf(text, token.index)}: this ${word} closes nothing.`);
      if (!isCall) rank -= 1;
      const closed = splitRows(list);
      open.at(-1)!.list.splice(-1, 1, isCall ? unwrap(closed) : closed);
    } else {
      const value = parseNumber(word);
      if (value === undefined) throw new TextError(`${positionOf(text, token.index)}: ${notANumber(word)}`);
      list.push(value);
    }
  }
  if (open.length > 1) throw new TextError("A list is not closed: a ] is missing.");
  return unwrap(splitRows(top));
}

/** Returns the only element of a list, or the list. */
function unwrap(list: readonly Nested[]): Nested {
  return list.length === 1 ? list[0]! : list;
}

/** Splits a list at its semicolons into a matrix. Rows of one number each become a list, as in {@link parseRows}. */
function splitRows(list: readonly Nested[]): readonly Nested[] {
  if (!list.includes(ROW_END)) return list;
  const rows: Nested[][] = [[]];
  for (const element of list) {
    if (element === ROW_END) rows.push([]);
    else rows.at(-1)!.push(element);
  }
  const full = rows.filter((row) => row.length > 0);
  const isMatrix = full.length > 1 && full.some((row) => row.length > 1) && !list.some(Array.isArray);
  return isMatrix ? full : full.flat();
}

function notANumber(word: string): string {
  const shown = word.length > MAX_EXCERPT_CHARS ? `${word.slice(0, MAX_EXCERPT_CHARS)}...` : word;
  return word === "..." ? "... stands for numbers that were left out." : `${shown} is not a number.`;
}

function positionOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split("\n");
  return `Line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

/** Parses one row a line. Rows of one number each become a list, one line becomes a list, and one number a scalar. */
function parseRows(text: string): ParsedTensor {
  // A semicolon ends a row in "1 2;3 4" but separates numbers in "1;2".
  const endsRowsBySemicolon =
    !text.includes("\t") &&
    text.includes(";") &&
    text.split(/[;\n]/).every((row) => /^\s*$|\S\s+\S/.test(row));
  const separator = endsRowsBySemicolon ? separatorOf(text.replaceAll(";", "")) : separatorOf(text);
  const rows = text
    .split(/\r?\n/)
    .flatMap((line, index) =>
      (endsRowsBySemicolon ? line.split(";") : [line])
        .filter((row) => row.trim() !== "")
        .map((row) => ({ line: index + 1, words: splitWords(row, separator) })),
    );
  const heads = headsOf(rows.map(({ words }) => words));
  const values = rows
    .slice(heads.lines)
    .map(({ line, words }) => words.slice(heads.columns).map((word, index) => parseCell(word, line, index)));
  const list = values.length > 1 && values.every((row) => row.length === 1) ? values.flat() : values;
  return { value: unwrap(list.length > 1 ? list : values[0]!), note: noteOf(heads) };
}

/** How many lines and columns of a table are headings, each 0 or 1. */
interface Heads {
  readonly lines: number;
  readonly columns: number;
}

/** Finds headings of columns, and a column without one, which has the names of the rows in R and pandas. */
function headsOf([first = [], ...rows]: readonly (readonly string[])[]): Heads {
  const names = first[0] === "" ? first.slice(1) : first;
  const isHead = (word: string): boolean => /[a-z]/i.test(word) && parseNumber(word) === undefined;
  if (rows.length === 0 || names.length === 0 || !names.every(isHead)) return { lines: 0, columns: 0 };
  return { lines: 1, columns: rows.every((row) => row.length === names.length + 1) ? 1 : 0 };
}

function noteOf({ lines, columns }: Heads): string {
  if (lines === 0) return "";
  return columns === 0
    ? "The first line has no numbers and was left out."
    : "The first line has no numbers and was left out, as was the first column, which has no heading.";
}

function separatorOf(text: string): string | RegExp {
  return ["\t", ";", ","].find((separator) => text.includes(separator)) ?? /\s+/;
}

/** Splits a line. A trailing separator adds no empty word. */
function splitWords(line: string, separator: string | RegExp): string[] {
  const words = line
    .trim()
    .split(separator)
    .map((word) => word.trim());
  return words.length > 1 && words.at(-1) === "" ? words.slice(0, -1) : words;
}

function parseCell(word: string, line: number, index: number): Nested {
  const value = parseNumber(word);
  if (value !== undefined) return value;
  if (word === "") throw new TextError(`Line ${line}: number ${index + 1} is missing.`);
  const hint = /^[-+]?\d+,\d+$/.test(word) ? " Write a point for the decimal comma." : "";
  throw new TextError(`Line ${line}: ${notANumber(word)}${hint}`);
}
