/** Pages of other origins (CORS, as the Fetch standard has it): those that the operator names may read answers. Credentials of browsers are never taken. */
import type { FastifyReply, FastifyRequest } from "fastify";

/** Origins whose pages may read answers: none, some, or `*` for all. */
export type Origins = readonly string[];

/** What a program sends beyond the headers that every page may send. */
const ALLOWED_HEADERS = [
  "accept",
  "authorization",
  "content-type",
  "inference-header-content-length",
  "traceparent",
  "tracestate",
  "x-request-id",
].join(", ");

/** What a program reads beyond the headers that every page may read. */
const EXPOSED_HEADERS = [
  "allow",
  "content-length",
  "etag",
  "inference-header-content-length",
  "retry-after",
  "www-authenticate",
  "x-request-id",
].join(", ");

/** Seconds for which a browser may remember a preflight's answer: the most that Chromium keeps it. */
const MAX_AGE_S = 7200;

/** Adds the headers with which a browser lets the page that asks read the answer, whatever its status. */
export function shareAnswer(origins: Origins, { headers }: FastifyRequest, reply: FastifyReply): void {
  if (origins.length === 0) return;
  const all = origins.includes("*");
  // A cache that keeps the answer to one origin must not give it to another.
  if (!all) reply.header("vary", "origin");
  if (!isAllowed(origins, headers.origin)) return;
  reply
    .header("access-control-allow-origin", all ? "*" : headers.origin)
    .header("access-control-expose-headers", EXPOSED_HEADERS);
}

/** Whether a browser asks before it sends a request of a page that may read the answer. It never adds a token to this question. */
export function isPreflight(origins: Origins, { method, headers }: FastifyRequest): boolean {
  return (
    method === "OPTIONS" &&
    headers["access-control-request-method"] !== undefined &&
    isAllowed(origins, headers.origin)
  );
}

/** Answers a preflight, for any path: what is wrong with the request itself, its own answer says, which the page can read. */
export function answerPreflight(reply: FastifyReply): void {
  reply
    .header("access-control-allow-methods", "GET, HEAD, POST")
    .header("access-control-allow-headers", ALLOWED_HEADERS)
    .header("access-control-max-age", MAX_AGE_S)
    .removeHeader("access-control-expose-headers")
    .code(204)
    .send();
}

function isAllowed(origins: Origins, origin: string | undefined): boolean {
  return origin !== undefined && (origins.includes("*") || origins.includes(origin));
}
