/** Reads a request's body on demand. Unread bytes stay in the socket and slow the client down. */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { Problem } from "../../problems.ts";
import { freeChunk } from "../chunks.ts";
import type { Exchange } from "../connection.ts";
import type { SizeLimit } from "../content/content-headers.ts";
import { tooLarge } from "../content/content-headers.ts";
import type { LossContext, RequestContext } from "../context.ts";
import type { Urgency } from "../turns.ts";
import { ClientGone } from "../turns.ts";
import { bodyProblem, endedEarly, openBody } from "./inflate.ts";

/** Size of a chunk below which the following ones are joined. Joining copies, and leaves the copied chunks to the garbage collector. */
const TINY_BYTES = 1024;

export class BodyReader {
  readonly #payload: IncomingMessage;
  /** The payload, inflated if it is compressed. */
  readonly #body: Readable;
  readonly #exchange: Exchange;
  readonly #limit: SizeLimit;
  readonly #loss: LossContext;
  /** Chunks that have arrived and wait for {@link next}. */
  readonly #chunks: Buffer<ArrayBuffer>[] = [];
  /** Chunk from which {@link fill} reads, and its bytes that have been read. */
  #chunk: Buffer<ArrayBuffer> | undefined;
  #used = 0;
  /** Resolves the wait of {@link next} for a chunk, the end or a failure. */
  #resolve: (() => void) | undefined;
  /** Whether the last chunk was tiny. */
  #isTiny = false;
  #hasEnded = false;
  #failure: Error | undefined;

  /** Reads the body of a request up to `limit`, as its only reader, until the request ends. */
  constructor({ exchange, loss: admitted }: RequestContext, payload: IncomingMessage, limit: SizeLimit) {
    const loss = admitted!;
    const { coding, timings } = loss;
    this.#payload = payload;
    this.#body = openBody(payload, coding);
    this.#exchange = exchange;
    this.#limit = limit;
    this.#loss = loss;
    this.#body.pause();
    timings.enter("read");
    exchange.expectBody((problem) => this.#fail(problem));
    this.#body.on("data", (chunk: Buffer<ArrayBuffer>) => this.#add(chunk));
    this.#body.once("end", () => {
      this.#hasEnded = true;
      this.#wake();
    });
    this.#body.on("error", (error) => this.#fail(bodyProblem(error, coding)));
    this.#body.once("close", () => {
      if (!this.#hasEnded) this.#fail(endedEarly());
    });
    loss.onEnd(() => this.#stop());
  }

  /**
   * Returns the next chunk, or undefined at the end. Waits for a turn of the event loop if other long work has used up this one. Rejects a body
   * over the limit.
   */
  async next(urgency: Urgency): Promise<Buffer<ArrayBuffer> | undefined> {
    await this.#arrival();
    const turn = this.#chunks.length === 0 ? undefined : this.#loss.turnIfBusy(urgency);
    if (turn !== undefined) {
      this.#body.pause();
      await turn;
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.#loss.checkHeld();
    const chunk = this.#chunks.shift();
    this.#isTiny = chunk !== undefined && chunk.length < TINY_BYTES;
    return chunk;
  }

  /** Waits until there is a chunk, the end or a failure. */
  #arrival(): Promise<void> | undefined {
    // Emits the chunks that have arrived meanwhile as one, because a client may send them byte by byte.
    if (this.#isTiny && this.#chunks.length === 0 && this.#body.isPaused()) this.#body.read();
    if (this.#chunks.length > 0 || this.#hasEnded || this.#failure !== undefined) return undefined;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#exchange.waitsForBody = true;
      this.#body.resume();
    });
  }

  #wake(): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#exchange.waitsForBody = false;
    resolve?.();
  }

  #add(chunk: Buffer<ArrayBuffer>): void {
    if (this.#failure !== undefined) return;
    this.#loss.bytes += chunk.length;
    if (this.#loss.bytes > this.#limit.bytes) {
      this.#fail(tooLarge("more", this.#limit));
      return;
    }
    this.#chunks.push(chunk);
    if (this.#resolve === undefined) this.#body.pause();
    else this.#wake();
  }

  /**
   * Fills `into` with the next bytes. Rejects a body that ends before `into` is full, with the problem that `short` creates of its length in
   * bytes, inflated.
   */
  async fill(into: Uint8Array, short: (bodyBytes: number) => Problem): Promise<void> {
    for (let filled = 0; filled < into.length; ) {
      this.#chunk ??= await this.next("later");
      const chunk = this.#chunk;
      if (chunk === undefined) throw short(this.#loss.bytes);
      this.#loss.checkHeld();
      const piece = chunk.subarray(this.#used, this.#used + into.length - filled);
      into.set(piece, filled);
      filled += piece.length;
      this.#used += piece.length;
      if (this.#used === chunk.length) {
        freeChunk(chunk, this.#loss.coding);
        this.#chunk = undefined;
        this.#used = 0;
      }
    }
  }

  /** Waits for the end of the body. Resolves to false if more bytes arrive instead. */
  async end(): Promise<boolean> {
    return this.#chunk === undefined && (await this.next("later")) === undefined;
  }

  /** Stops reading at the end of the request, whose memory is another one's then. The connection discards the rest of the body. */
  #stop(): void {
    if (!this.#hasEnded || this.#chunks.length > 0) this.#fail(new ClientGone("the client has left"));
    if (this.#body === this.#payload) this.#payload.removeAllListeners("data");
    else this.#body.destroy();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}
