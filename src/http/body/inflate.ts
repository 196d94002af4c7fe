/** Bodies as they arrive, inflated where they are compressed. */
import type { IncomingMessage } from "node:http";
import type { Readable, TransformCallback } from "node:stream";
import { Transform } from "node:stream";
import { Problem } from "../../problems.ts";
import type { Coding, Decoder } from "../limits/content-coding.ts";
import { FREE_BYTES, inflatedLimit, MAX_RATIO } from "../limits/content-coding.ts";

/**
 * The bytes of a body, as they come or inflated. A stream of its own ends with an error of {@link bodyProblem}; destroying it lets the rest of
 * the body pass unread.
 */
export function openBody(payload: IncomingMessage, coding: Coding | undefined): Readable {
  if (coding === undefined) return payload;
  const decoder = new Inflater(coding.open);
  let received = 0;
  let inflated = 0;
  payload.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  decoder.on("data", (chunk: Buffer) => {
    inflated += chunk.length;
    if (inflated > inflatedLimit(received, Number.POSITIVE_INFINITY)) decoder.destroy(tooDense());
  });
  payload.once("close", () => {
    if (!payload.complete) decoder.destroy(endedEarly());
  });
  payload.once("error", () => decoder.destroy(endedEarly()));
  decoder.once("close", () => {
    payload.unpipe(decoder);
    payload.resume();
  });
  return payload.pipe(decoder);
}

/**
 * Gives the memory of a chunk of {@link openBody} back once it is used: one of the socket that is alone in its buffer, or the last of a
 * decoder's buffer. Left to the garbage collector, the chunks of large bodies pile up to 80 MiB and cause full collections.
 */
export function freeChunk(
  { buffer, byteOffset, byteLength }: Buffer<ArrayBuffer>,
  coding: Coding | undefined,
): void {
  const isLast = byteOffset + byteLength === buffer.byteLength;
  if (isLast && (coding !== undefined || byteOffset === 0)) buffer.transfer(0);
}

/** What became of a body whose stream failed. */
export function bodyProblem(error: unknown, coding: Coding | undefined): Problem {
  if (error instanceof Problem) return error;
  if (coding === undefined || !(error instanceof Error)) return endedEarly();
  return new Problem("malformed_content_encoding", `the body is not ${coding.name}: ${error.message}`);
}

/** The problem of a body that its client did not send to its end. */
export function endedEarly(): Problem {
  return new Problem("malformed_request", "the body ended early");
}

function tooDense(): Problem {
  return new Problem(
    "body_too_large",
    `expected at most ${MAX_RATIO} times the compressed bytes beyond ${FREE_BYTES} bytes, got more; send it without Content-Encoding`,
  );
}

/** A decoder for each frame costs its allocation, so a body of tiny frames would be an attack. */
const MAX_FRAMES = 1000;

/**
 * Inflates a body to its last byte. Node's decoders stop in silence at the end of the first zstd frame, although its own compressor writes an
 * empty second one, and their rejectGarbageAfterEnd takes that for garbage (Node 24.21). Here the next frame gets a decoder of its
 * own, which refuses what is none.
 */
export class Inflater extends Transform {
  readonly #open: () => Decoder;
  #decoder: Decoder;
  #frames = 0;

  constructor(open: () => Decoder) {
    super();
    this.#open = open;
    this.#decoder = this.#next();
  }

  #next(): Decoder {
    const decoder = this.#open();
    this.#frames++;
    decoder.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) decoder.pause();
    });
    decoder.on("error", (error) => this.destroy(error));
    return decoder;
  }

  override _transform(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    const decoder = this.#decoder;
    const before = decoder.bytesWritten;
    decoder.write(chunk, (error) => {
      if (error || this.destroyed) return;
      const rest = chunk.subarray(decoder.bytesWritten - before);
      if (rest.length === 0) done();
      else if (this.#frames === MAX_FRAMES) done(new Error(`more than ${MAX_FRAMES} frames`));
      else {
        whenEnded(decoder, () => {
          this.#decoder = this.#next();
          this._transform(rest, encoding, done);
        });
      }
    });
  }

  override _flush(done: TransformCallback): void {
    whenEnded(this.#decoder, done);
    this.#decoder.end();
  }

  override _read(size: number): void {
    this.#decoder.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder.destroy();
    done(error);
  }
}

/** Waits until a decoder has handed on its last bytes, which may have happened before its write is called back. */
function whenEnded(decoder: Decoder, then: () => void): void {
  if (decoder.readableEnded) then();
  else decoder.once("end", () => then());
}
