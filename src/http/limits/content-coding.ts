/** Content codings of request bodies (RFC 9110, section 8.4): which are read, and how far a body may inflate. */
import type { IncomingHttpHeaders } from "node:http";
import type { Transform } from "node:stream";
import { constants, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { echo, Problem } from "../../problems.ts";

/** A stream of node:zlib, which counts the bytes that it has used. */
export type Decoder = Transform & { readonly bytesWritten: number };

/** A way in which a body can be compressed. */
export interface Coding {
  readonly name: string;
  /** The most bytes that a decoder holds outside of the Arena. They count against the memory budget. */
  readonly decoderBytes: number;
  readonly open: () => Decoder;
}

const KiB = 1024;

/** Bytes that a decoder hands on at once. */
const CHUNK_BYTES = 64 * KiB;
const OPTIONS = { chunkSize: CHUNK_BYTES };

/** A frame names the window that its decoder needs, up to gigabytes; RFC 9659 allows 8 MiB in HTTP. */
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

/** The codings that are read, as the Accept-Encoding of a refusal lists them (RFC 9110, section 15.5.16). */
export const READABLE_CODINGS = "gzip, deflate, zstd";

/**
 * A body may inflate to so many times its bytes, as in Apache's mod_deflate: digits and floats get 2 to 10 times smaller, so a larger ratio
 * is an attack or a tensor of equal numbers.
 */
export const MAX_RATIO = 200;

/** Bytes that a body of any ratio may inflate to. */
export const FREE_BYTES = 1024 * KiB;

/** The coding of a body, undefined where it is sent as it is. Refuses an unknown coding, and more than one. */
export function codingOf({ "content-encoding": text }: IncomingHttpHeaders): Coding | undefined {
  const name = text?.trim().toLowerCase();
  if (name === undefined || name === "" || name === "identity") return undefined;
  const coding = CODINGS.get(name);
  if (coding !== undefined) return coding;
  throw new Problem(
    "unsupported_content_encoding",
    `expected Content-Encoding ${READABLE_CODINGS} or none, got ${echo(text!)}`,
  );
}

/** The most bytes that a compressed body of `length` bytes may inflate to, within `limit`. */
export function inflatedLimit(length: number, limit: number): number {
  return Math.min(limit, Math.max(FREE_BYTES, length * MAX_RATIO));
}
