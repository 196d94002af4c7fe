/** Reads a request's body on demand. Unread bytes stay in the socket and slow the client down. */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { Problem } from "../../problems.ts";
import type { SizeLimit } from "../content/content-headers.ts";
import { tooLarge } from "../content/content-headers.ts";
import type { LossContext, RequestContext } from "../context.ts";
import { bodyProblem, endedEarly, freeChunk, openBody } from "./inflate.ts";

/** Pending call of {@link BodyReader.fill} or {@link BodyReader.end}, which wants no bytes. */
interface Wanted {
  readonly into: Uint8Array;
  filled: number;
  readonly resolve: (isEnd: boolean) => void;
  readonly reject: (error: unknown) => void;
}

const NO_BYTES = new Uint8Array(0);

export class BodyReader {
  readonly #payload: IncomingMessage;
  /** The payload, inflated if it is compressed. */
  readonly #body: Readable;
  readonly #limit: SizeLimit;
  readonly #loss: LossContext;
  /** Unread rest of the last chunk. */
  #rest: Buffer<ArrayBuffer> | undefined;
  /** The whole chunk, freed when all of it has been used. */
  #chunk: Buffer<ArrayBuffer> | undefined;
  #wanted: Wanted | undefined;
  #received = 0;
  #hasEnded = false;
  #failed: Error | undefined;

  /** Reads the body of a request up to `limit`, as its only reader, until the request ends. */
  constructor({ exchange, loss: admitted }: RequestContext, payload: IncomingMessage, limit: SizeLimit) {
    const loss = admitted!;
    const { coding, timings, region } = loss;
    // Counts the decoder's memory, which is outside of the Arena.
    if (coding !== undefined) region.alloc(Math.min(coding.decoderBytes, limit.bytes));
    this.#payload = payload;
    this.#body = openBody(payload, coding);
    this.#limit = limit;
    this.#loss = loss;
    this.#body.pause();
    timings.enter("read");
    exchange.expectBody((problem) => this.#fail(problem));
    this.#body.on("data", (chunk: Buffer<ArrayBuffer>) => this.#take(chunk));
    this.#body.once("end", () => this.#end());
    this.#body.once("error", (error) => this.#fail(bodyProblem(error, coding)));
    this.#body.once("close", () => {
      if (!this.#hasEnded) this.#fail(endedEarly());
    });
    loss.onEnd(() => this.#stop());
  }

  /**
   * Fills `into` with the next bytes. Rejects a body over the limit, and one that ends before `into` is full, with the problem that `short`
   * creates of its length in bytes, inflated.
   */
  async fill(into: Uint8Array, short: (bodyBytes: number) => Problem): Promise<void> {
    if (into.length > 0 && (await this.#want(into))) throw short(this.#received);
  }

  /** Waits for the end of the body. Resolves to false if more bytes arrive instead. */
  end(): Promise<boolean> {
    return this.#want(NO_BYTES);
  }

  /** Settles when `into` is full (false) or the body has ended before (true). */
  #want(into: Uint8Array): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#wanted = { into, filled: 0, resolve, reject };
      this.#serve();
    });
  }

  /** Stops reading. The connection discards the rest of the body. */
  #stop(): void {
    this.#rest = undefined;
    if (this.#body === this.#payload) this.#payload.removeAllListeners("data");
    else this.#body.destroy();
  }

  #take(chunk: Buffer<ArrayBuffer>): void {
    this.#received += chunk.length;
    this.#loss.bytes += chunk.length;
    if (this.#received > this.#limit.bytes) {
      this.#fail(tooLarge("more", this.#limit));
      this.#serve();
      return;
    }
    this.#rest = chunk;
    this.#chunk = chunk;
    const wait = this.#loss.turnIfBusy("later");
    if (wait === undefined) this.#serve();
    else {
      this.#body.pause();
      const serve = (): void => {
        if (this.#wanted !== undefined) this.#serve();
      };
      wait.then(serve, (error) => this.#fail(error));
    }
  }

  /** Copies the available bytes. Pauses the payload while no call is pending. */
  #serve(): void {
    const wanted = this.#wanted;
    if (wanted !== undefined) this.#fillFromRest(wanted);
    if (wanted === undefined) this.#body.pause();
    else if (wanted.filled === wanted.into.length && (wanted.filled > 0 || this.#rest !== undefined)) {
      this.#settle(false);
    } else if (this.#failed !== undefined) this.#fail(this.#failed);
    else if (this.#hasEnded) this.#settle(true);
    else this.#body.resume();
  }

  #fillFromRest(wanted: Wanted): void {
    if (this.#rest === undefined) return;
    const piece = this.#rest.subarray(0, wanted.into.length - wanted.filled);
    wanted.into.set(piece, wanted.filled);
    wanted.filled += piece.length;
    if (piece.length < this.#rest.length) {
      this.#rest = this.#rest.subarray(piece.length);
      return;
    }
    this.#rest = undefined;
    freeChunk(this.#chunk!, this.#loss.coding);
  }

  #settle(isEnd: boolean): void {
    const wanted = this.#wanted!;
    this.#wanted = undefined;
    this.#body.pause();
    wanted.resolve(isEnd);
  }

  #end(): void {
    this.#hasEnded = true;
    if (this.#wanted !== undefined) this.#serve();
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.reject(this.#failed);
  }
}
