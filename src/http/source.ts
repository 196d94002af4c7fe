/** A request's body as bytes that are asked for: what is not asked for stays in the socket, and holds the client up. */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { Problem } from "../problems.ts";
import type { Coding } from "./content-coding.ts";
import { bodyProblem, endedEarly, freeChunk, openBody } from "./content-coding.ts";
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

/** How a body is sent, and how many bytes it may have. */
interface Sent {
  readonly limit: SizeLimit;
  readonly coding: Coding | undefined;
}

export class BodySource {
  readonly #payload: IncomingMessage;
  /** The payload, or what it inflates to. */
  readonly #body: Readable;
  readonly #limit: SizeLimit;
  readonly #coding: Coding | undefined;
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
  constructor(payload: IncomingMessage, { limit, coding }: Sent, onBytes: (count: number) => void) {
    const body = openBody(payload, coding);
    this.#payload = payload;
    this.#body = body;
    this.#limit = limit;
    this.#coding = coding;
    this.#onBytes = onBytes;
    body.pause();
    whenTooSlow(payload, (problem) => this.#fail(problem));
    askForBody(payload);
    body.on("data", (chunk: Buffer<ArrayBuffer>) => this.#take(chunk));
    body.once("end", () => this.#finish());
    body.once("error", (error) => this.#fail(bodyProblem(error, coding)));
    body.once("close", () => this.#fail(endedEarly()));
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
    this.#rest = undefined;
    if (this.#body !== this.#payload) {
      this.#body.destroy();
      return;
    }
    this.#payload.removeAllListeners("data");
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
        freeChunk(this.#chunk!, this.#coding);
      }
    }
    if (wanted !== undefined && wanted.filled === wanted.into.length) {
      this.#wanted = undefined;
      this.#body.pause();
      wanted.resolve();
    } else if (wanted === undefined) this.#body.pause();
    else if (this.#failed !== undefined) this.#fail(this.#failed);
    else this.#body.resume();
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
