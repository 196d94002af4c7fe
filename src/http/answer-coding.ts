/** Compresses long JSON responses page by page, in constant memory. */
import type { Readable, Transform } from "node:stream";
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
 * Compressors that one process has open at most. Each holds up to 1 MiB outside of the memory budget until its client has read the response;
 * a slow client holds it until the stall limit. Beyond this number, responses leave as they are.
 */
export const MAX_COMPRESSORS = 64;

let openCompressors = 0;

/**
 * The pages of a response in the coding that the client prefers, or as they are. Without `isOffered`, only a client that refuses identity gets
 * a coding. Destroying the returned stream ends the pages, and their error is its error.
 */
export function encodePages(reply: FastifyReply, pages: Readable, isOffered: boolean): Readable {
  varyByCoding(reply);
  const { coding, isRequired } = chooseCoding(reply.request.headers["accept-encoding"]);
  if (coding === undefined || !(isOffered || isRequired) || openCompressors >= MAX_COMPRESSORS) return pages;
  reply.header("content-encoding", coding);
  const compressor = COMPRESSORS[coding]();
  openCompressors++;
  compressor.once("close", () => {
    openCompressors--;
  });
  // Fastify handles errors of the stream that it sends.
  return pipeline(pages, compressor, () => {});
}
