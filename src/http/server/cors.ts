/** Implements CORS (Fetch standard) for the origins that the operator allows. Never accepts a browser's credentials. */
import type { FastifyReply, FastifyRequest } from "fastify";

/** Origins whose pages may read responses, or `*` for all. */
export type Origins = readonly string[];

/** Request headers beyond the CORS-safelisted ones. */
const ALLOWED_HEADERS = [
  "accept",
  "authorization",
  "content-encoding",
  "content-type",
  "inference-header-content-length",
  "traceparent",
  "tracestate",
  "x-request-id",
].join(", ");

/** Response headers beyond the CORS-safelisted ones. */
const EXPOSED_HEADERS = [
  "allow",
  "content-length",
  "etag",
  "inference-header-content-length",
  "retry-after",
  "www-authenticate",
  "x-request-id",
].join(", ");

/** Lifetime of a cached preflight response, at Chromium's maximum. */
const MAX_AGE_S = 7200;

/** Adds the headers that let the requesting page read the response, whatever its status. */
export function shareResponse(origins: Origins, { headers }: FastifyRequest, reply: FastifyReply): void {
  const all = origins.includes("*");
  // A cache must not reuse the response to one origin for another.
  if (!all) reply.header("vary", "origin");
  if (!isAllowed(origins, headers.origin)) return;
  reply
    .header("access-control-allow-origin", all ? "*" : headers.origin)
    .header("access-control-expose-headers", EXPOSED_HEADERS);
}

/** Whether a request is the CORS preflight of an allowed page. Browsers never add a token to a preflight. */
export function isPreflight(origins: Origins, { method, headers }: FastifyRequest): boolean {
  return (
    method === "OPTIONS" &&
    headers["access-control-request-method"] !== undefined &&
    isAllowed(origins, headers.origin)
  );
}

/** Responds to a preflight for any path, because the page can read the error in the response to the request itself. */
export function respondToPreflight(reply: FastifyReply): void {
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
