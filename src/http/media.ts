/** Media types: which a body may have, and which its answer gets. */
import Negotiator from "negotiator";
import { echo, Problem } from "../problems.ts";

/** The formats of /v1, by the media type that an answer in it has. */
export const MEDIA_TYPES = {
  json: "application/json",
  safetensors: "application/vnd.safetensors",
} as const;

export type Media = keyof typeof MEDIA_TYPES;

// An exact allow-list on the raw header: tricks with case, tabs or trailing garbage must not reach a parser unchecked.
const REQUEST_TYPES: readonly (readonly [RegExp, Media])[] = [
  [/^application\/json(?: *; *charset=(?:utf-8|"utf-8"))?$/i, "json"],
  [/^application\/(?:vnd\.|x-)safetensors$/i, "safetensors"],
];

/** What is accepted as Content-Type, for refusals. */
export const ACCEPTED = "application/json, application/vnd.safetensors or application/x-safetensors";

/** The format of a body with this Content-Type; undefined for every type that is not in the list. */
export function knownMedia(type: string | undefined): Media | undefined {
  return REQUEST_TYPES.find(([pattern]) => type !== undefined && pattern.test(type))?.[1];
}

/** The format of a body with this Content-Type. Refuses every type that is not in the list. */
export function requestMedia(type: string | undefined): Media {
  const found = knownMedia(type);
  if (found !== undefined) return found;
  const got = type === undefined ? "none" : echo(type);
  throw new Problem("unsupported_media_type", `expected Content-Type ${ACCEPTED}, got ${got}`);
}

/** Characters of an Accept header that are looked at: its meaning takes time by its length. */
const MAX_ACCEPT = 1024;

/** Parameters of a media range beside its quality: JSON has none (RFC 8259, section 11), so a charset narrows nothing. */
const RANGE_PARAMETERS = /;[ \t]*(?!q[ \t]*=)[^;,="\s]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^;,"]*)/gi;

/** The format that the client prefers for the answer (RFC 9110, section 12.5.1): the request's own where Accept is absent or empty. */
export function answerMedia(accept: string | undefined, own: Media): Media {
  if (accept === undefined || accept.trim() === "") return own;
  const other: Media = own === "json" ? "safetensors" : "json";
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
