/** Content codings of request bodies (RFC 9110, section 8.4), inflated as they arrive. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { constants, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { echo, Problem } from "../problems.ts";
import type { Decoder } from "./inflater.ts";
import { Inflater } from "./inflater.ts";

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
