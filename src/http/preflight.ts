/** What is decided from the headers alone, before a byte of the body is read. */
import type { IncomingHttpHeaders } from "node:http";
import { echo, Problem } from "../problems.ts";
import type { Media } from "./media.ts";
import { requestMedia } from "./media.ts";

/** What the headers say of a body. */
export interface Announced {
  readonly media: Media;
  /** The bytes that it may have: Content-Length, or the limit for chunked bodies. */
  readonly length: number;
}

/** A limit that a request may be over, with the setting that moves it. */
export interface SizeLimit {
  readonly bytes: number;
  readonly setting: "BODY_LIMIT" | "STREAM_LIMIT" | "MEMORY_BUDGET";
}

/** Checks the headers of a request with a body. Refuses compressed bodies, other media types, missing bodies and bodies over the format's limit. */
export function checkBodyHeaders(
  headers: IncomingHttpHeaders,
  limits: Readonly<Record<Media, SizeLimit>>,
): Announced {
  checkFraming(headers);
  const media = requestMedia(headers["content-type"]);
  return { media, length: announcedLength(headers, limits[media]) };
}

/** Refuses a request without a body, and one whose body is compressed. */
export function checkFraming(headers: IncomingHttpHeaders): void {
  const { "content-encoding": encoding, "content-length": length } = headers;
  if (length === undefined && headers["transfer-encoding"] === undefined) {
    throw new Problem("length_required", "expected a body, got neither Content-Length nor Transfer-Encoding");
  }
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new Problem(
      "unsupported_content_encoding",
      `expected a body without Content-Encoding, got ${echo(encoding)}`,
    );
  }
}

/** The bytes that a body may have: Content-Length, or `limit` for a chunked one. Refuses more than `limit`. */
export function announcedLength(headers: IncomingHttpHeaders, limit: SizeLimit): number {
  const length = headers["content-length"];
  if (length === undefined) return limit.bytes;
  if (Number(length) > limit.bytes) throw tooLarge(`${echo(length)} bytes`, limit);
  return Number(length);
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
