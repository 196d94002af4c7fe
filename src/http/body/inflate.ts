/** Inflates compressed bodies as they arrive. */
import type { IncomingMessage } from "node:http";
import type { Readable, TransformCallback } from "node:stream";
import { Transform } from "node:stream";
import { Problem } from "../../problems.ts";
import { discard } from "../chunks.ts";
import type { Coding, Decoder } from "../content/content-coding.ts";
import { FREE_BYTES, inflatedLimit, MAX_RATIO } from "../content/content-coding.ts";
import type { LossContext } from "../context.ts";

/**
 * Opens a body, inflating it if it is compressed. An inflating stream fails with an error for {@link bodyProblem}. Destroying it discards the
 * rest of the body.
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
    discard(payload);
  });
  return payload.pipe(decoder);
}

/** Counts the memory of a decoder in a region, although it is outside of the Arena. Its window is no longer than the body. */
export function reserveDecoder({ coding, region }: LossContext, maxBytes: number): void {
  if (coding !== undefined) region.alloc(Math.min(coding.decoderBytes, maxBytes));
}

/** Converts the failure of a body's stream into a problem. */
export function bodyProblem(error: unknown, coding: Coding | undefined): Problem {
  if (error instanceof Problem) return error;
  if (coding === undefined || !(error instanceof Error)) return endedEarly();
  return new Problem("malformed_content_encoding", `the body is not ${coding.name}: ${error.message}`);
}

/** Creates the problem of an incomplete body. */
export function endedEarly(): Problem {
  return new Problem("malformed_request", "the body ended early");
}

function tooDense(): Problem {
  return new Problem(
    "body_too_large",
    `expected at most ${MAX_RATIO} times the compressed bytes beyond ${FREE_BYTES} bytes, got more; send it without Content-Encoding`,
  );
}

/** Maximum number of frames, because each allocates a decoder and a body of tiny frames would be an attack. */
const MAX_FRAMES = 1000;

/**
 * Inflates a body to its last byte. Node's decoders stop in silence at the end of the first zstd frame, although its own compressor writes an
 * empty second one, and their rejectGarbageAfterEnd takes that for garbage (Node 24.21). Here each further frame gets its
 * own decoder, which rejects garbage.
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

/** Waits until a decoder has emitted its last bytes, which may happen before its write is called back. */
function whenEnded(decoder: Decoder, then: () => void): void {
  if (decoder.readableEnded) then();
  else decoder.once("end", () => then());
}
