/** What is decided from the headers alone, before a byte of the body is read. */
import type { IncomingHttpHeaders } from "node:http";
import Negotiator from "negotiator";
import { echo, Problem } from "../../problems.ts";
import type { Coding } from "./content-coding.ts";
import { codingOf, inflatedLimit } from "./content-coding.ts";

/** What the headers say of a body. */
export interface Announced {
  readonly format: BodyFormat;
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
  limits: Readonly<Record<BodyFormat, SizeLimit>>,
): Announced {
  const coding = checkFraming(headers);
  const format = requestFormatOf(headers["content-type"]);
  return { format, length: announcedLength(headers, coding, limits[format]), coding };
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
export function rejectQuery(query: unknown): void {
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

/** The formats of /v1, by the media type that an answer in it has. */
export const MEDIA_TYPES = {
  json: "application/json",
  safetensors: "application/vnd.safetensors",
} as const;

export type BodyFormat = keyof typeof MEDIA_TYPES;

// An exact allow-list on the raw header: tricks with case, tabs or trailing garbage must not reach a parser unchecked.
const REQUEST_TYPES: readonly (readonly [RegExp, BodyFormat])[] = [
  [/^application\/json(?: *; *charset=(?:utf-8|"utf-8"))?$/i, "json"],
  [/^application\/(?:vnd\.|x-)safetensors$/i, "safetensors"],
];

/** What is accepted as Content-Type, for refusals. */
export const ACCEPTED = "application/json, application/vnd.safetensors or application/x-safetensors";

/** The format of a body with this Content-Type; undefined for every type that is not in the list. */
export function knownFormat(type: string | undefined): BodyFormat | undefined {
  return REQUEST_TYPES.find(([pattern]) => type !== undefined && pattern.test(type))?.[1];
}

/** The format of a body with this Content-Type. Refuses every type that is not in the list. */
export function requestFormatOf(type: string | undefined): BodyFormat {
  const found = knownFormat(type);
  if (found !== undefined) return found;
  const got = type === undefined ? "none" : echo(type);
  throw new Problem("unsupported_media_type", `expected Content-Type ${ACCEPTED}, got ${got}`);
}

/** Characters of an Accept header that are looked at: its meaning takes time by its length. */
const MAX_ACCEPT = 1024;

/** Parameters of a media range beside its quality: JSON has none (RFC 8259, section 11), so a charset narrows nothing. */
const RANGE_PARAMETERS = /;[ \t]*(?!q[ \t]*=)[^;,="\s]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^;,"]*)/gi;

/** The format that the client prefers for the answer (RFC 9110, section 12.5.1): the request's own where Accept is absent or empty. */
export function responseFormatOf(accept: string | undefined, own: BodyFormat): BodyFormat {
  if (accept === undefined || accept.trim() === "") return own;
  const other: BodyFormat = own === "json" ? "safetensors" : "json";
  const offers = [own, other].flatMap((media) =>
    media === "json" ? [MEDIA_TYPES.json] : [MEDIA_TYPES.safetensors, "application/x-safetensors"],
  );
  const ranges = accept.slice(0, MAX_ACCEPT).replace(RANGE_PARAMETERS, "");
  const found = new Negotiator({ headers: { accept: ranges } }).mediaType(offers);
  if (found === undefined) {
    throw new Problem("not_acceptable", `Accept: ${echo(accept)} allows none of ${offers.join(", ")}`);
  }
  return found === MEDIA_TYPES.json ? "json" : "safetensors";
}
