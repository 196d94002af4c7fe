import type { TransformCallback } from "node:stream";
import { Transform } from "node:stream";

/** A stream of node:zlib, which counts the bytes that it has used. */
export type Decoder = Transform & { readonly bytesWritten: number };

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
