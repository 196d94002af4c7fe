/** Handles errors below HTTP requests: malformed bytes, and headers that are too slow or too large. */
import type { ProblemCode } from "../../problems.ts";
import { Problem } from "../../problems.ts";
import type { Connection } from "../connection.ts";
import { requestId } from "../observe/log.ts";
import { rawProblem } from "./send-problem.ts";

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

/** Node's error for bytes behind a request with `Connection: close`. */
const BYTES_AFTER_LAST = "HPE_CLOSED_CONNECTION";

/** Responds on the socket and closes it. Only closes it while another response is in progress. `note` counts and logs the error. */
export function handleClientError(
  error: NodeJS.ErrnoException,
  connection: Connection,
  note: (code: ProblemCode, id: string) => void,
): void {
  const { socket } = connection;
  // The client must not send these bytes (RFC 9112, section 9.6), and the parser discards them.
  if (connection.isClosing || error.code === BYTES_AFTER_LAST) return;
  if (error.code === "ECONNRESET" || !socket.writable || connection.isResponding) {
    socket.destroy();
    return;
  }
  // A malformed rest of a body has its response already.
  if (connection.isLingering) return void connection.close();
  const code = CODES[error.code ?? ""] ?? "malformed_request";
  const id = requestId({ headers: {} });
  connection.close(rawProblem(new Problem(code, DETAILS[code] ?? "the request is not valid HTTP/1.1"), id));
  note(code, id);
}
