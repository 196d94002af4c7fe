/** Handles errors below HTTP requests: malformed bytes, and headers that are too slow or too large. */
import type { Socket } from "node:net";
import type { ProblemCode } from "../../problems.ts";
import { Problem } from "../../problems.ts";
import type { Connections } from "../connection.ts";
import { requestId } from "../observe/log.ts";
import { rawProblem } from "./errors.ts";

/** Problem codes of Node's error codes. Every other error is a malformed request. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Maximum size of a request's headers. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** Time for the headers of a request to arrive. */
export const HEADERS_TIMEOUT_MS = 5000;

const DETAILS: Partial<Record<ProblemCode, string>> = {
  headers_too_large: `expected at most ${MAX_HEADER_BYTES} bytes of headers`,
  request_timeout: `the headers did not arrive within ${HEADERS_TIMEOUT_MS / 1000} seconds`,
};

/** Responds on the socket and closes it. Only closes it while another response is in progress. `note` counts and logs the error. */
export function handleClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Connections,
  note: (code: ProblemCode, id: string) => void,
): void {
  if (error.code === "ECONNRESET" || !socket.writable || connections.isResponding(socket)) {
    socket.destroy();
    return;
  }
  const code = CODES[error.code ?? ""] ?? "malformed_request";
  const id = requestId({ headers: {} });
  socket.end(rawProblem(new Problem(code, DETAILS[code] ?? "the request is not valid HTTP/1.1"), id));
  note(code, id);
}
