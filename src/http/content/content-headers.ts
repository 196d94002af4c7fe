/** Checks the content headers before a byte of the body is read. */
import type { IncomingHttpHeaders } from "node:http";
import Negotiator from "negotiator";
import { excerpt, Problem } from "../../problems.ts";
import type { Coding } from "./content-coding.ts";
import { codingOf, inflatedLimit } from "./content-coding.ts";

/** Body as its headers announce it. */
export interface Announced {
  readonly format: BodyFormat;
  /** Content-Length, or the limit for chunked and compressed bodies. */
  readonly length: number;
  readonly coding: Coding | undefined;
}

/** Size limit, with the setting that determines it. */
export interface SizeLimit {
  readonly bytes: number;
  readonly setting: "BODY_LIMIT" | "STREAM_LIMIT" | "MEMORY_BUDGET" | "200 times the compressed bytes";
}

/** Limit of a body that may inflate to `bytes`, within `limit`. */
export function inflatedSizeLimit(bytes: number, limit: SizeLimit): SizeLimit {
  return bytes < limit.bytes ? { bytes, setting: "200 times the compressed bytes" } : limit;
}

/** Checks the headers of a request with a body. Rejects missing bodies, unsupported codings and media types, and bodies over the format's limit. */
export function checkBodyHeaders(
  headers: IncomingHttpHeaders,
  limits: Readonly<Record<BodyFormat, SizeLimit>>,
): Announced {
  const coding = checkFraming(headers);
  const format = requestFormatOf(headers["content-type"]);
  return { format, length: announcedLength(headers, coding, limits[format]), coding };
}

/** Returns the coding of a body. Rejects a request without a body, and unsupported codings. */
export function checkFraming(headers: IncomingHttpHeaders): Coding | undefined {
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
    throw new Problem("length_required", "expected a body, got neither Content-Length nor Transfer-Encoding");
  }
  const { "content-encoding": coding } = headers;
  return coding === undefined ? undefined : codingOf(coding);
}

/** Returns Content-Length, or the maximum size of a chunked or compressed body. Rejects more than `limit`. */
export function announcedLength(
  headers: IncomingHttpHeaders,
  coding: Coding | undefined,
  limit: SizeLimit,
): number {
  const text = headers["content-length"];
  if (text === undefined) return limit.bytes;
  const length = Number(text);
  if (length > limit.bytes) throw tooLarge(`${excerpt(text)} bytes`, limit);
  return coding === undefined ? length : inflatedLimit(length, limit.bytes);
}

/** Whether the headers announce the size of a body, which is neither chunked nor compressed. */
export function isLengthKnown(headers: IncomingHttpHeaders, coding: Coding | undefined): boolean {
  return coding === undefined && headers["content-length"] !== undefined;
}

/** Rejects a query string on routes whose options are in the body. */
export function rejectQuery(query: unknown): void {
  const [name] = Object.keys(query as object);
  if (name === undefined) return;
  throw new Problem(
    "unknown_query_parameter",
    `${excerpt(name)}: options of a JSON request belong in its body`,
  );
}

/** Creates the error for a size over a limit, with the limit in bytes and its setting. */
export function tooLarge(got: string, { bytes, setting }: SizeLimit): Problem {
  return new Problem("body_too_large", `expected at most ${bytes} bytes (${setting}), got ${got}`);
}

/** Formats of /v1 with the media types of their responses. */
export const MEDIA_TYPES = {
  json: "application/json",
  safetensors: "application/vnd.safetensors",
} as const;

export type BodyFormat = keyof typeof MEDIA_TYPES;

// Match the raw header exactly, because tricks with case, tabs or trailing garbage must not reach a parser.
const JSON_TYPE = /^application\/json(?: *; *charset=(?:utf-8|"utf-8"))?$/i;
const SAFETENSORS_TYPE = /^application\/(?:vnd\.|x-)safetensors$/i;

/** Accepted media types, for errors. */
export const ACCEPTED = "application/json, application/vnd.safetensors or application/x-safetensors";

/** Returns the format of a Content-Type, or undefined for an unsupported type. */
export function knownFormat(type = ""): BodyFormat | undefined {
  if (JSON_TYPE.test(type)) return "json";
  return SAFETENSORS_TYPE.test(type) ? "safetensors" : undefined;
}

/** Returns the format of a Content-Type. Rejects unsupported types. */
function requestFormatOf(type: string | undefined): BodyFormat {
  const found = knownFormat(type);
  if (found !== undefined) return found;
  const got = type === undefined ? "none" : excerpt(type);
  throw new Problem("unsupported_media_type", `expected Content-Type ${expectedFor(type)}, got ${got}`);
}

/** Names the parameters at fault of an accepted type, because the list of types, `otherwise`, would contain the type that was sent. */
export function expectedFor(type = "", otherwise = ACCEPTED): string {
  const [name = ""] = type.split(";", 1).map((part) => part.trim());
  const format = type.includes(";") ? knownFormat(name) : undefined;
  if (format === undefined) return otherwise;
  return `${name.toLowerCase()} without parameters${format === "json" ? ", or with exactly ; charset=utf-8" : ""}`;
}

/** Characters of Accept and Accept-Encoding that are read at most, because parsing takes time by their length. */
const MAX_ACCEPT_CHARS = 1024;

/** Drops the members of a long list that do not fit whole, because a cut one could lose its quality of 0. */
export function shortenAccept(list: string): string {
  if (list.length <= MAX_ACCEPT_CHARS) return list;
  return list.slice(0, Math.max(list.lastIndexOf(",", MAX_ACCEPT_CHARS), 0));
}

/** Parameters of a media range other than its quality. JSON has no parameters (RFC 8259, section 11), so a charset has no effect. */
const RANGE_PARAMETERS = /;[ \t]*(?!q[ \t]*=)[^;,="\s]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^;,"]*)/gi;

/** Returns the preferred response format (RFC 9110, section 12.5.1), by default the format of the request. */
export function responseFormatOf(accept: string | undefined, own: BodyFormat): BodyFormat {
  if (accept === undefined) return own;
  const ranges = shortenAccept(accept);
  if (ranges.trim() === "") return own;
  const other: BodyFormat = own === "json" ? "safetensors" : "json";
  const offers = [own, other].flatMap((media) =>
    media === "json" ? [MEDIA_TYPES.json] : [MEDIA_TYPES.safetensors, "application/x-safetensors"],
  );
  const found = new Negotiator({ headers: { accept: ranges.replace(RANGE_PARAMETERS, "") } }).mediaType(
    offers,
  );
  if (found === undefined) {
    throw new Problem("not_acceptable", `Accept: ${excerpt(accept)} allows none of ${offers.join(", ")}`);
  }
  return found === MEDIA_TYPES.json ? "json" : "safetensors";
}
