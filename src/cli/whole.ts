/** Whether an answer has arrived to its end: a server, or a proxy before it, may break off in a way that HTTP does not show. */
import { UserError } from "../errors.ts";
import type { Header } from "../wire/safetensors/header.ts";
import { checkDataBytes, readHeader, readHeaderLength } from "../wire/safetensors/header.ts";
import { shown } from "./text.ts";

/** Looks at the bytes of an answer as they pass. Both throw a {@link UserError}. */
export interface Whole {
  push(piece: Buffer): void;
  /** Behind the last byte. */
  end(): void;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN, OPEN_LIST, CLOSE, CLOSE_LIST] = [0x7b, 0x5b, 0x7d, 0x5d];

/** One JSON object, of which only strings and brackets are looked at: it may be larger than memory. */
export class WholeJson implements Whole {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isEnded = false;

  push(piece: Buffer): void {
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      if (this.#isInString) this.#inString(byte);
      else if (byte > COMMA || byte === QUOTE) this.#between(byte);
    }
  }

  end(): void {
    if (!this.#isEnded) throw new UserError("the answer was cut off: its JSON has no end");
  }

  #inString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
  }

  #between(byte: number): void {
    if (this.#isEnded || (this.#depth === 0 && byte !== OPEN))
      throw new UserError("expected one JSON object as the answer, got something else");
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === OPEN || byte === OPEN_LIST) this.#depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) this.#isEnded = --this.#depth === 0;
  }
}

/** A safetensors file, whose header says how long it is. */
export class WholeSafetensors implements Whole {
  #beginning = Buffer.alloc(0);
  #bytes = 0;
  #header: Header | undefined;

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#header !== undefined) return;
    this.#beginning = Buffer.concat([this.#beginning, piece]);
    if (this.#beginning.length >= 8) told(() => this.#read(undefined));
  }

  end(): void {
    told(() => {
      if (this.#header === undefined) this.#read(this.#bytes);
      checkDataBytes(this.#header!, this.#bytes);
    });
  }

  /** Reads the header once it is there; `bytes` are all that there are, where that is known. */
  #read(bytes: number | undefined): void {
    const begin = 8 + readHeaderLength(this.#beginning.subarray(0, 8), bytes);
    if (this.#beginning.length < begin) return;
    this.#header = readHeader(this.#beginning.subarray(8, begin), undefined);
    // From here on, only the bytes of the tensors count.
    this.#bytes -= begin;
  }
}

function told(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new UserError(`the answer is no whole safetensors file: ${shown((error as Error).message)}`);
  }
}
