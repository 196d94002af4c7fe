/** The JSON of a safetensors header, read by its known form. */
import { echo, Problem, pointerStep, rejectAt } from "../../problems.ts";

/** The pointer to a member. Appended to the names of a client, it is cut as a whole. */
export function under(pointer: string, name: string): string {
  return echo(`${pointer}/${pointerStep(name)}`);
}

/** A fault of a file that is none. */
export function malformed(detail: string): Problem {
  return new Problem("malformed_safetensors", detail);
}

/** A fault at a place of a header that is JSON. */
export function invalid(pointer: string, detail: string): Problem {
  return rejectAt("invalid_safetensors", pointer, detail);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const SPACE = " \t\n\r";
const BEGINS_VALUE = /^["{[\-0-9tfn]/;
const WORD = /[-+.\w]*/y;
const INTEGER = /^(?:0|[1-9][0-9]*)$/;

/** Reads JSON whose form is known, from front to back, so that no value can be nested more deeply than a header is. */
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

  /** The names in an object, one after another, each when its value is next. Refuses one that stands twice. */
  *members(pointer: string, expected: string): Generator<string, void> {
    this.#begin("{", pointer, expected);
    if (this.#isNext("}")) return;
    const names = new Set<string>();
    do {
      if (this.#next() !== '"') throw this.#malformed("a name in quotes");
      const name = this.string(pointer, "a name");
      if (names.has(name)) throw rejectAt("duplicate_key", under(pointer, name), "this member stands twice");
      names.add(name);
      if (!this.#isNext(":")) throw this.#malformed('":"');
      yield name;
    } while (this.#goesOn("}"));
  }

  /** The places of the items in a list, one after another, each when its value is next. */
  *items(pointer: string, expected: string): Generator<number, void> {
    this.#begin("[", pointer, expected);
    if (this.#isNext("]")) return;
    let at = 0;
    do yield at++;
    while (this.#goesOn("]"));
  }

  /** A text. JSON.parse reads the escapes; half a surrogate pair is refused, because no UTF-8 can repeat it. */
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
      // Refused below, from its beginning.
    }
    this.#at = start;
    throw this.#malformed("a text that ends, without control characters, with escapes that JSON knows");
  }

  /** An integer as the reference implementation reads one: 1.0, 1e2 and -0 are none. */
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

  /** Reads null, where it is next. */
  isNull(): boolean {
    this.#next();
    if (!this.#text.startsWith("null", this.#at)) return false;
    this.#at += 4;
    return true;
  }

  /** Refuses what follows the object, unless it is padding. */
  end(): void {
    while (this.#text[this.#at] === " ") this.#at++;
    if (this.#at < this.#text.length) throw this.#malformed("spaces up to the end of the header");
  }

  /** The next character that is no white space; empty at the end. */
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

  /** Begins a value. Another kind of value is its place's fault, anything else is no JSON. */
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
