/** Detects truncated responses, because HTTP does not always show that a server or proxy broke off. */
import { UserError } from "../user-error.ts";
import type { Header } from "../wire/safetensors/header.ts";
import { checkDataBytes, readHeader, readHeaderLength } from "../wire/safetensors/header.ts";
import { escapeText } from "./escape.ts";

/** Checks the bytes of a response as they pass. Both methods throw {@link UserError}. */
export interface Integrity {
  push(piece: Buffer): void;
  /** Called after the last byte. */
  end(): void;
}

const [SPACE, QUOTE, BACKSLASH, COMMA] = [0x20, 0x22, 0x5c, 0x2c];
const [OPEN, OPEN_LIST, CLOSE, CLOSE_LIST] = [0x7b, 0x5b, 0x7d, 0x5d];

/** Limit of open brackets, beyond those of any response, so that a hostile one takes no memory. */
const MAX_DEPTH = 64;

/** Checks that the body is one complete JSON object. Tracks only strings and brackets because the body may exceed memory. */
export class JsonIntegrity implements Integrity {
  /** Closing brackets of the open ones, outermost first. */
  readonly #closing: number[] = [];
  #isInString = false;
  #isEscaped = false;
  #isEnded = false;

  push(piece: Buffer): void {
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      if (this.#isInString) this.#inString(byte);
      else if (byte > COMMA || byte === QUOTE || (this.#isEnded && byte > SPACE)) this.#between(byte);
    }
  }

  end(): void {
    if (!this.#isEnded) throw new UserError("the response was cut off: its JSON has no end");
  }

  #inString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
  }

  #between(byte: number): void {
    const depth = this.#closing.length;
    if (this.#isEnded || (depth === 0 && byte !== OPEN) || depth > MAX_DEPTH) throw notOneObject();
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === OPEN) this.#closing.push(CLOSE);
    else if (byte === OPEN_LIST) this.#closing.push(CLOSE_LIST);
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (this.#closing.pop() !== byte) throw notOneObject();
      this.#isEnded = this.#closing.length === 0;
    }
  }
}

function notOneObject(): UserError {
  return new UserError("expected one JSON object as the response, got something else");
}

/** Checks the length of a safetensors file against its header. */
export class SafetensorsIntegrity implements Integrity {
  #beginning = Buffer.alloc(0);
  #bytes = 0;
  #header: Header | undefined;

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#header !== undefined) return;
    this.#beginning = Buffer.concat([this.#beginning, piece]);
    if (this.#beginning.length >= 8) asUserError(() => this.#read(undefined));
  }

  end(): void {
    asUserError(() => {
      if (this.#header === undefined) this.#read(this.#bytes);
      checkDataBytes(this.#header!, this.#bytes);
    });
  }

  /** Parses the header once its bytes are there. `bytes` is the total length, if known. */
  #read(bytes: number | undefined): void {
    const begin = 8 + readHeaderLength(this.#beginning.subarray(0, 8), bytes);
    if (this.#beginning.length < begin) return;
    this.#header = readHeader(this.#beginning.subarray(8, begin), undefined);
    // Counts only tensor bytes from here on.
    this.#bytes -= begin;
  }
}

function asUserError(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new UserError(
      `the response is not a complete safetensors file: ${escapeText((error as Error).message)}`,
    );
  }
}
