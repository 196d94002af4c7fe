/** Checks the head of a request first, because Node's parser accepts heads that two servers may read differently. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { echo, Problem } from "../../problems.ts";
import type { Exchange } from "../connection.ts";
import { CONTINUE } from "../connection.ts";

/** Rejects two Host headers (RFC 9112, section 3.2), Transfer-Encoding in HTTP/1.0 (6.1), and codings other than chunked. */
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

/** Rejects bodies of GET and HEAD, which have no meaning (RFC 9110, section 9.3.1). */
export function checkNoBody({ headers, method }: IncomingMessage): void {
  if ((method === "GET" || method === "HEAD") && hasBody(headers)) throw malformed(`${method} takes no body`);
}

/** Whether bytes follow the head. */
export function hasBody({
  "transfer-encoding": coding,
  "content-length": length,
}: IncomingHttpHeaders): boolean {
  return coding !== undefined || (length !== undefined && length !== "0");
}

/** Rejects every expectation but 100-continue. */
export function checkExpectation({ request, holdsBody }: Exchange): void {
  if (!holdsBody || CONTINUE.test(request.headers.expect!)) return;
  throw new Problem("expectation_failed", "expected no Expect but 100-continue");
}

function malformed(detail: string): Problem {
  return new Problem("malformed_request", detail);
}
