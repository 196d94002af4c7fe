/** Content codings of request bodies (RFC 9110, section 8.4) and their limits. */
import type { Transform } from "node:stream";
import { constants, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { excerpt, Problem } from "../../problems.ts";

/** Stream of node:zlib, which counts the bytes that it has consumed. */
export type Decoder = Transform & { readonly bytesWritten: number };

/** Content coding of a body. */
export interface Coding {
  readonly name: string;
  /** Maximum memory of a decoder outside of the Arena. Counts against the memory budget. */
  readonly decoderBytes: number;
  readonly open: () => Decoder;
}

const KiB = 1024;

/** Size of a decoder's chunks. */
const CHUNK_BYTES = 64 * KiB;
const OPTIONS = { chunkSize: CHUNK_BYTES };

/** Largest window of a zstd frame, which RFC 9659 limits to 8 MiB in HTTP. Frames may ask for gigabytes. */
const ZSTD_WINDOW_LOG = 23;

const GZIP: Coding = { name: "gzip", decoderBytes: 2 * CHUNK_BYTES, open: () => createGunzip(OPTIONS) };

const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ["gzip", GZIP],
  // A recipient takes it for gzip (RFC 9110, section 8.4.1.3).
  ["x-gzip", GZIP],
  ["deflate", { name: "deflate", decoderBytes: 2 * CHUNK_BYTES, open: () => createInflate(OPTIONS) }],
  [
    "zstd",
    {
      name: "zstd",
      decoderBytes: 2 ** ZSTD_WINDOW_LOG + 2 * CHUNK_BYTES,
      open: () =>
        createZstdDecompress({ ...OPTIONS, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }),
    },
  ],
]);

/** Supported codings, as the Accept-Encoding of an error lists them (RFC 9110, section 15.5.16). */
export const READABLE_CODINGS = "gzip, deflate, zstd";

/**
 * Maximum ratio of inflated to compressed bytes, as in Apache's mod_deflate. Digits and floats shrink 2 to 10 times, so a larger ratio is an
 * attack or a tensor of equal numbers.
 */
export const MAX_RATIO = 200;

/** Inflated size that is allowed at any ratio. */
export const FREE_BYTES = 1024 * KiB;

/** Returns the coding of a body, or undefined for identity. Rejects unknown codings, and several codings. */
export function codingOf(text: string): Coding | undefined {
  const name = text.trim().toLowerCase();
  if (name === "" || name === "identity") return undefined;
  const coding = CODINGS.get(name);
  if (coding !== undefined) return coding;
  throw new Problem(
    "unsupported_content_encoding",
    `expected Content-Encoding ${READABLE_CODINGS} or none, got ${excerpt(text)}`,
  );
}

/** Returns the maximum inflated size of a compressed body of `length` bytes, within `limit`. */
export function inflatedLimit(length: number, limit: number): number {
  return Math.min(limit, Math.max(FREE_BYTES, length * MAX_RATIO));
}
