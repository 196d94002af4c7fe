/** The head of a request, before anything else looks at it: what is legal for Node's parser but means two things to two servers. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { echo, Problem } from "../problems.ts";

/** Refuses two Host headers (RFC 9112, section 3.2), Transfer-Encoding in HTTP/1.0 (6.1), and codings other than chunked. */
export function checkHead({ rawHeaders, headers, httpVersion }: IncomingMessage): void {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  if (hosts > 1) throw malformed("expected one Host header, got more");
  const { "transfer-encoding": coding } = headers;
  if (coding !== undefined) {
    if (httpVersion === "1.0") throw malformed("HTTP/1.0 has no Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked") {
      throw malformed(`expected Transfer-Encoding: chunked, got ${echo(coding)}`);
    }
  }
}

/** Refuses bodies of GET and HEAD, which have no meaning (RFC 9110, section 9.3.1). */
export function checkNoBody({ headers, method }: IncomingMessage): void {
  if (hasBody(headers) && (method === "GET" || method === "HEAD")) throw malformed(`${method} takes no body`);
}

/** Whether bytes follow the head. */
export function hasBody({
  "transfer-encoding": coding,
  "content-length": length,
}: IncomingHttpHeaders): boolean {
  return coding !== undefined || (length !== undefined && length !== "0");
}

function malformed(detail: string): Problem {
  return new Problem("malformed_request", detail);
}
