/** What is decided from the headers alone, before a byte of the body is read. */
import type { IncomingHttpHeaders } from "node:http";
import { echo, Problem } from "../problems.ts";

// An exact allow-list on the raw header: tricks with case, tabs or trailing garbage must not reach a parser unchecked.
const JSON_TYPE = /^application\/json(?: *; *charset=(?:utf-8|"utf-8"))?$/i;

/**
 * Checks the headers of a request with a body and gives the bytes it may have: Content-Length, or the limit for chunked bodies.
 * Refuses compressed bodies, other media types, missing bodies and bodies over `limit`.
 */
export function checkBodyHeaders(headers: IncomingHttpHeaders, limit: number): number {
  const { "content-type": type, "content-encoding": encoding, "content-length": length } = headers;
  if (length === undefined && headers["transfer-encoding"] === undefined) {
    throw new Problem(
      "length_required",
      "expected a JSON body, got neither Content-Length nor Transfer-Encoding",
    );
  }
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new Problem(
      "unsupported_content_encoding",
      `expected a body without Content-Encoding, got ${echo(encoding)}`,
    );
  }
  if (type === undefined || !JSON_TYPE.test(type)) {
    const got = type === undefined ? "none" : echo(type);
    throw new Problem("unsupported_media_type", `expected Content-Type application/json, got ${got}`);
  }
  if (length === undefined) return limit;
  if (Number(length) > limit) throw tooLarge(`${echo(length)} bytes`, limit);
  return Number(length);
}

export function tooLarge(got: string, limit: number): Problem {
  return new Problem("body_too_large", `expected at most ${limit} bytes, got ${got}`);
}
