/** Checks the head of a request first, because Node's parser accepts heads that two servers may read differently. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { excerpt, Problem } from "../../problems.ts";
import type { Exchange } from "../connection.ts";

/** Forms of a request target (RFC 9112, section 3.2): a path, or a URL that clients of proxies send. Neither has a fragment. */
const TARGET = /^(?:\/|https?:\/\/[^/?#]+(?:[/?]|$))[^#]*$/i;

const VERSIONS: readonly string[] = ["1.0", "1.1"];

/** Characters of a host and a port (RFC 3986, section 3.2), which are all that the check needs to keep two servers from reading two hosts. */
const HOST = /^[\w.~%!$&'()*+,;=:[\]-]*$/;

/**
 * Rejects other versions, malformed targets, a missing, second or malformed Host header (RFC 9112, section 3.2), a second Authorization header (RFC 9110, section 5.3),
 * Transfer-Encoding in HTTP/1.0 (RFC 9112, section 6.1), and codings other than chunked.
 */
export function checkHead({ rawHeaders, headers, httpVersion, method, url = "" }: IncomingMessage): void {
  if (!VERSIONS.includes(httpVersion)) throw malformed(`expected HTTP/1.1 or HTTP/1.0, got ${httpVersion}`);
  // Counts raw headers, because Node keeps the first of several of these names.
  const hosts = countOf(rawHeaders, "host");
  if (hosts > 1) throw malformed("expected one Host header, got more");
  if (hosts === 0 && httpVersion === "1.1") throw malformed("expected a Host header, got none");
  if (!HOST.test(headers.host ?? "")) throw malformed(`expected a host, got ${excerpt(headers.host!)}`);
  if (countOf(rawHeaders, "authorization") > 1)
    throw malformed("expected one Authorization header, got more");
  if (!TARGET.test(url) && !(url === "*" && method === "OPTIONS"))
    throw malformed(`expected a path or an http URL without a fragment, got ${excerpt(url)}`);
  const { "transfer-encoding": coding } = headers;
  if (coding !== undefined) {
    if (httpVersion === "1.0") throw malformed("HTTP/1.0 has no Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked") {
      throw malformed(`expected Transfer-Encoding: chunked, got ${excerpt(coding)}`);
    }
  }
}

function countOf(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const field = rawHeaders[at]!;
    if (field.length === name.length && field.toLowerCase() === name) count++;
  }
  return count;
}

/** Percent-encoded unreserved characters, which mean the same as the characters (RFC 3986, section 6.2.2.2). */
const ENCODED_UNRESERVED = /%(?:2[DE]|3\d|4[1-9A-F]|5[\dAF]|6[1-9A-F]|7[\dAE])/gi;

/** Returns the path of a target as routes match it, without the authority of a URL (RFC 9112, section 3.2.2) and without the query. */
export function pathOf(url: string): string {
  const [path = ""] = url.replace(/^https?:\/\/[^/?]*/i, "").split("?", 1);
  return path === "" ? "/" : path.replace(ENCODED_UNRESERVED, decodeURIComponent);
}

/** Rejects bodies of GET and HEAD, which have no meaning (RFC 9110, section 9.3.1). */
export function checkNoBody({ headers, method }: IncomingMessage): void {
  if ((method === "GET" || method === "HEAD") && hasBody(headers)) throw malformed(`${method} takes no body`);
}

/** Whether bytes follow the head. */
function hasBody({ "transfer-encoding": coding, "content-length": length }: IncomingHttpHeaders): boolean {
  return coding !== undefined || (length !== undefined && length !== "0");
}

/** Matches the only supported expectation, as Node does before it emits `checkContinue`. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** Rejects every expectation but 100-continue. */
export function checkExpectation({ request, holdsBody }: Exchange): void {
  if (!holdsBody || CONTINUE.test(request.headers.expect!)) return;
  throw new Problem("expectation_failed", "expected no Expect but 100-continue");
}

function malformed(detail: string): Problem {
  return new Problem("malformed_request", detail);
}
