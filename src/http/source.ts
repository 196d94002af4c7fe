/** A request's body as bytes that are asked for: what is not asked for stays in the socket, and holds the client up. */
import type { IncomingMessage } from "node:http";
import { Problem } from "../problems.ts";
import { askForBody } from "./held.ts";
import type { SizeLimit } from "./preflight.ts";
import { tooLarge } from "./preflight.ts";
import { whenTooSlow } from "./watch.ts";

interface Wanted {
  readonly into: Uint8Array;
  filled: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class BodySource {
  readonly #payload: IncomingMessage;
  readonly #limit: SizeLimit;
  readonly #onBytes: (count: number) => void;
  /** What a chunk held beyond what was asked for. */
  #rest: Buffer<ArrayBuffer> | undefined;
  /** The whole chunk, whose memory is given back as soon as all of it is used. */
  #chunk: Buffer<ArrayBuffer> | undefined;
  #wanted: Wanted | undefined;
  #received = 0;
  #ended = false;
  #failed: Problem | undefined;

  /** Reads at most `limit` from a payload that nobody else reads; `onBytes` is told of each chunk. */
  constructor(payload: IncomingMessage, limit: SizeLimit, onBytes: (count: number) => void) {
    this.#payload = payload;
    this.#limit = limit;
    this.#onBytes = onBytes;
    payload.pause();
    whenTooSlow(payload, (problem) => this.#fail(problem));
    askForBody(payload);
    payload.on("data", (chunk: Buffer<ArrayBuffer>) => this.#take(chunk));
    payload.once("end", () => this.#finish());
    payload.once("error", () => this.#fail(endedEarly()));
    payload.once("close", () => this.#fail(endedEarly()));
  }

  /** Fills `into` with the next bytes. Refuses a body that ends before that, and one that is over the limit. */
  fill(into: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wanted = { into, filled: 0, resolve, reject };
      this.#serve();
    });
  }

  /** Waits for the end of the body: false if more bytes come instead. */
  async end(): Promise<boolean> {
    try {
      await this.fill(new Uint8Array(1));
      return false;
    } catch (error) {
      if (this.#ended && this.#rest === undefined) return true;
      throw error;
    }
  }

  /** Lets the rest of the body pass unread, so that the connection can go on. */
  discard(): void {
    this.#payload.removeAllListeners("data");
    this.#rest = undefined;
    this.#payload.resume();
  }

  #take(chunk: Buffer<ArrayBuffer>): void {
    this.#received += chunk.length;
    this.#onBytes(chunk.length);
    if (this.#received > this.#limit.bytes) this.#fail(tooLarge("more", this.#limit));
    else {
      this.#rest = chunk;
      this.#chunk = chunk;
    }
    this.#serve();
  }

  /** Hands over what is there. Pauses the payload when nobody wants more, and resumes it when somebody does. */
  #serve(): void {
    const wanted = this.#wanted;
    if (this.#rest !== undefined && wanted !== undefined) {
      const piece = this.#rest.subarray(0, wanted.into.length - wanted.filled);
      wanted.into.set(piece, wanted.filled);
      wanted.filled += piece.length;
      if (piece.length < this.#rest.length) this.#rest = this.#rest.subarray(piece.length);
      else {
        this.#rest = undefined;
        if (this.#chunk !== undefined) releaseChunk(this.#chunk);
      }
    }
    if (wanted !== undefined && wanted.filled === wanted.into.length) {
      this.#wanted = undefined;
      this.#payload.pause();
      wanted.resolve();
    } else if (wanted === undefined) this.#payload.pause();
    else if (this.#failed !== undefined) this.#fail(this.#failed);
    else this.#payload.resume();
  }

  #finish(): void {
    this.#ended = true;
    this.#fail(endedEarly());
  }

  #fail(problem: Problem): void {
    this.#failed ??= problem;
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.reject(this.#failed);
  }
}

/**
 * Gives the memory of a chunk back if it is alone in its ArrayBuffer. Left to the garbage collector, the chunks of large bodies pile up to
 * 80 MiB, cause full collections, and each new one is memory that no cache knows.
 */
export function releaseChunk(chunk: Buffer<ArrayBuffer>): void {
  if (chunk.length === chunk.buffer.byteLength) chunk.buffer.transfer(0);
}

function endedEarly(): Problem {
  return new Problem("malformed_request", "the body ended early");
}
