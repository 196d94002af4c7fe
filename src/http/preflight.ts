/** What is decided from the headers alone, before a byte of the body is read. */
import type { IncomingHttpHeaders } from "node:http";
import { echo, Problem } from "../problems.ts";
import type { Coding } from "./content-coding.ts";
import { codingOf, inflatedLimit } from "./content-coding.ts";
import type { Media } from "./media.ts";
import { requestMedia } from "./media.ts";

/** What the headers say of a body. */
export interface Announced {
  readonly media: Media;
  /** The bytes that it may have: Content-Length, or the limit for chunked and compressed bodies. */
  readonly length: number;
  readonly coding: Coding | undefined;
}

/** A limit that a request may be over, with the setting that moves it, if one does. */
export interface SizeLimit {
  readonly bytes: number;
  readonly setting: "BODY_LIMIT" | "STREAM_LIMIT" | "MEMORY_BUDGET" | "200 times the compressed bytes";
}

/** The limit of a body that may inflate to `bytes`, within `limit`. */
export function inflatedSizeLimit(bytes: number, limit: SizeLimit): SizeLimit {
  return bytes < limit.bytes ? { bytes, setting: "200 times the compressed bytes" } : limit;
}

/** Checks the headers of a request with a body. Refuses missing bodies, other codings and media types, and bodies over the format's limit. */
export function checkBodyHeaders(
  headers: IncomingHttpHeaders,
  limits: Readonly<Record<Media, SizeLimit>>,
): Announced {
  const coding = checkFraming(headers);
  const media = requestMedia(headers["content-type"]);
  return { media, length: announcedLength(headers, coding, limits[media]), coding };
}

/** The coding of a body. Refuses a request without a body, and a body in a coding that is not read. */
export function checkFraming(headers: IncomingHttpHeaders): Coding | undefined {
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
    throw new Problem("length_required", "expected a body, got neither Content-Length nor Transfer-Encoding");
  }
  return codingOf(headers);
}

/** The bytes that a body may have: Content-Length, or as many as a chunked or a compressed one may have at most. Refuses more than `limit`. */
export function announcedLength(
  headers: IncomingHttpHeaders,
  coding: Coding | undefined,
  limit: SizeLimit,
): number {
  const text = headers["content-length"];
  if (text === undefined) return limit.bytes;
  const length = Number(text);
  if (length > limit.bytes) throw tooLarge(`${echo(text)} bytes`, limit);
  return coding === undefined ? length : inflatedLimit(length, limit.bytes);
}

/** Whether the headers tell the bytes of a body: they do not where it is chunked or compressed. */
export function tellsLength(headers: IncomingHttpHeaders, coding: Coding | undefined): boolean {
  return coding === undefined && headers["content-length"] !== undefined;
}

/** Refuses a query string where options have another place. */
export function refuseQuery(query: unknown): void {
  const [name] = Object.keys(query as object);
  if (name === undefined) return;
  throw new Problem(
    "unknown_query_parameter",
    `${echo(name)}: options of a JSON request belong into its body`,
  );
}

/** The refusal of what is over a limit: its text names the limit that refused it, in bytes, and the setting that moves it. */
export function tooLarge(got: string, { bytes, setting }: SizeLimit): Problem {
  return new Problem("body_too_large", `expected at most ${bytes} bytes (${setting}), got ${got}`);
}
