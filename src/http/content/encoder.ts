/** Compresses long JSON responses page by page, in constant memory. */
import type { ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream";
import { constants, createBrotliCompress, createGzip, createZstdCompress } from "node:zlib";
import type { FastifyReply } from "fastify";
import type { ResponseCoding } from "./accept-encoding.ts";
import { chooseCoding, varyByCoding } from "./accept-encoding.ts";

const CHUNK_BYTES = 64 * 1024;
const WINDOW_LOG = 17;

/**
 * The fast levels. On the JSON of float32 log-probabilities, level 6 of gzip takes five times as long as level 1 and saves another 5 % of the
 * bytes. Small windows bound the memory of a compressor, and digits repeat nothing from farther back.
 */
const COMPRESSORS: Readonly<Record<ResponseCoding, () => Transform>> = {
  zstd: () =>
    createZstdCompress({
      chunkSize: CHUNK_BYTES,
      params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_windowLog]: WINDOW_LOG },
    }),
  br: () =>
    createBrotliCompress({
      chunkSize: CHUNK_BYTES,
      params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: WINDOW_LOG },
    }),
  gzip: () => createGzip({ chunkSize: CHUNK_BYTES, level: 1 }),
};

/**
 * Compressors that one process has open at most. Each holds up to 1 MiB outside of the memory budget until its client has read the response.
 * A slow client holds it until the stall limit. Beyond this number, responses leave as they are.
 */
export const MAX_COMPRESSORS = 64;

let openCompressors = 0;

/**
 * Opens the coding that the client prefers, and sets Vary and Content-Encoding. Returns undefined for identity. Without
 * `isOffered`, only a client that rejects identity gets a coding.
 */
export function openEncoder(reply: FastifyReply, isOffered: boolean): Encoder | undefined {
  varyByCoding(reply);
  const { coding, isRequired } = chooseCoding(reply.request.headers["accept-encoding"]);
  if (coding === undefined || !(isOffered || isRequired) || openCompressors >= MAX_COMPRESSORS)
    return undefined;
  reply.header("content-encoding", coding);
  return new Encoder(COMPRESSORS[coding]());
}

/** Compressor in front of a response. Runs outside of the event loop. */
export class Encoder {
  readonly #compressor: Transform;

  constructor(compressor: Transform) {
    this.#compressor = compressor;
    openCompressors++;
    compressor.once("close", () => {
      openCompressors--;
    });
  }

  /** Sends the compressed bytes to a response. Closing the response early closes the compressor, and writes fail. */
  pipeTo(response: ServerResponse): void {
    pipeline(this.#compressor, response, () => {});
  }

  /** Compresses bytes, which may be overwritten once the promise resolves. Waits for the client to read. */
  write(bytes: Uint8Array): Promise<void> {
    const compressor = this.#compressor;
    return new Promise((resolve, reject) => {
      // node:zlib never calls back a write that waits for its reader when it is destroyed (Node 24.21).
      const onClose = () => reject(new Error("the response closed"));
      compressor.once("close", onClose);
      compressor.write(bytes, (error) => {
        compressor.off("close", onClose);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  end(): void {
    this.#compressor.end();
  }
}
