/** Reader for the JSON of a safetensors header. */
import { excerpt, Problem, pointerStep, rejectAt } from "../../problems.ts";

/** Appends a client's name to a pointer and truncates the result as a whole. */
export function under(pointer: string, name: string): string {
  return excerpt(`${pointer}/${pointerStep(name)}`);
}

/** Builds the error for a file that is not safetensors. */
export function malformed(detail: string): Problem {
  return new Problem("malformed_safetensors", detail);
}

/** Builds the error for one member of a header. */
export function invalid(pointer: string, detail: string): Problem {
  return rejectAt("invalid_safetensors", pointer, detail);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const SPACE = " \t\n\r";
const BEGINS_VALUE = /^["{[\-0-9tfn]/;
const WORD = /[-+.\w]*/y;
const INTEGER = /^(?:0|[1-9][0-9]*)$/;

/** Reads JSON of a known structure from front to back, so that deeper nesting is rejected. */
export class HeaderText {
  readonly #text: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    try {
      this.#text = utf8.decode(bytes);
    } catch (_error) {
      throw malformed("the header is not UTF-8");
    }
    if (this.#text[0] !== "{") throw this.#malformed('"{"');
  }

  /** Yields the names of an object's members, each before its value is read. Rejects duplicates. */
  *members(pointer: string, expected: string): Generator<string, void> {
    this.#begin("{", pointer, expected);
    if (this.#isNext("}")) return;
    const names = new Set<string>();
    do {
      if (this.#next() !== '"') throw this.#malformed("a name in quotes");
      const name = this.string(pointer, "a name");
      if (names.has(name)) throw rejectAt("duplicate_key", under(pointer, name), "duplicate member");
      names.add(name);
      if (!this.#isNext(":")) throw this.#malformed('":"');
      yield name;
    } while (this.#goesOn("}"));
  }

  /** Yields the indices of a list's items, each before it is read. */
  *items(pointer: string, expected: string): Generator<number, void> {
    this.#begin("[", pointer, expected);
    if (this.#isNext("]")) return;
    let at = 0;
    do yield at++;
    while (this.#goesOn("]"));
  }

  /** Reads a string with JSON.parse. Rejects unpaired surrogates because UTF-8 cannot repeat them. */
  string(pointer: string, expected: string): string {
    this.#begin('"', pointer, expected);
    const start = this.#at - 1;
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"') {
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    }
    this.#at++;
    const token = this.#text.slice(start, this.#at);
    try {
      const value: string = JSON.parse(token);
      if (value.isWellFormed()) return value;
    } catch (_error) {
      // Rejected below with its position.
    }
    this.#at = start;
    throw this.#malformed("a terminated string with valid escapes and without control characters");
  }

  /** Reads an integer as the reference implementation does, which rejects 1.0, 1e2 and -0. */
  integer(pointer: string): number {
    const first = this.#next();
    if (!BEGINS_VALUE.test(first)) throw this.#malformed("an integer");
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.#text)![0];
    const value = Number(word);
    if (!INTEGER.test(word) || !Number.isSafeInteger(value)) {
      throw invalid(pointer, "expected an integer from 0 to 2^53 - 1, written in digits alone");
    }
    this.#at += word.length;
    return value;
  }

  /** Reads null, if it is next. */
  isNull(): boolean {
    this.#next();
    if (!this.#text.startsWith("null", this.#at)) return false;
    this.#at += 4;
    return true;
  }

  /** Rejects text after the object, except padding. */
  end(): void {
    while (this.#text[this.#at] === " ") this.#at++;
    if (this.#at < this.#text.length) throw this.#malformed("spaces up to the end of the header");
  }

  /** Returns the next character after white space, empty at the end. */
  #next(): string {
    let next = this.#text[this.#at] ?? "";
    while (next !== "" && SPACE.includes(next)) next = this.#text[++this.#at] ?? "";
    return next;
  }

  #isNext(mark: string): boolean {
    if (this.#next() !== mark) return false;
    this.#at++;
    return true;
  }

  /** Begins a value. Rejects another kind of value at its pointer and everything else as malformed JSON. */
  #begin(mark: string, pointer: string, expected: string): void {
    if (this.#isNext(mark)) return;
    throw BEGINS_VALUE.test(this.#next())
      ? invalid(pointer, `expected ${expected}`)
      : this.#malformed(expected);
  }

  #goesOn(close: string): boolean {
    if (this.#isNext(",")) return true;
    if (this.#isNext(close)) return false;
    throw this.#malformed(`"," or "${close}"`);
  }

  #malformed(expected: string): Problem {
    const code = this.#text.codePointAt(this.#at);
    const got = code === undefined ? "the end" : JSON.stringify(String.fromCodePoint(code));
    const byte = Buffer.byteLength(this.#text.slice(0, this.#at));
    return malformed(`byte ${byte} of the header: expected ${expected}, got ${got}`);
  }
}
