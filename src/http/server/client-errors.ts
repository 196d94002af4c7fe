/** Handles errors below HTTP requests: malformed bytes, and headers that are too slow or too large. */
import type { ProblemCode } from "../../problems.ts";
import { Problem } from "../../problems.ts";
import type { Connection } from "../connection.ts";
import { requestId } from "../observe/log.ts";
import { rawProblem } from "./send-problem.ts";
import { HEADERS_TIMEOUT_MS } from "./timeouts.ts";

/** Problem codes of Node's error codes. Every other error is a malformed request. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Maximum size of a request's headers. */
export const MAX_HEADER_BYTES = 16 * 1024;

const DETAILS: Partial<Record<ProblemCode, string>> = {
  headers_too_large: `expected at most ${MAX_HEADER_BYTES} bytes of headers`,
  request_timeout: `the headers did not arrive within ${HEADERS_TIMEOUT_MS / 1000} seconds`,
};

/** Node's error for bytes behind a request with `Connection: close`. */
const BYTES_AFTER_LAST = "HPE_CLOSED_CONNECTION";

/** Node's error for a client that closes its side in the middle of a request. */
const ENDED_EARLY = "HPE_INVALID_EOF_STATE";

/** Counts and logs an error of bytes that are no request, under the id in its response. */
export type NoteUnread = (code: ProblemCode, id: string) => void;

/** Responds to malformed bytes. If they are in a body, its request gets the error, unless its response has begun. */
export function handleClientError(
  error: NodeJS.ErrnoException,
  connection: Connection,
  note: NoteUnread,
): void {
  const { socket } = connection;
  // The client must not send these bytes (RFC 9112, section 9.6), and the parser discards them.
  if (connection.isClosing || error.code === BYTES_AFTER_LAST) return;
  const hasLeft = error.code === ENDED_EARLY && connection.isResponding;
  if (hasLeft || error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = CODES[error.code ?? ""] ?? "malformed_request";
  // Opened in advance, as balancers do, whose first request might meet the response.
  if (code === "request_timeout" && socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const problem = new Problem(code, DETAILS[code] ?? "the request is not valid HTTP/1.1");
  if (!connection.rejectBody(problem)) respondToUnread(connection, problem, note);
}

/** Responds to CONNECT, for which Node passes the bare socket on. Discards one behind the last response. */
export function handleConnect(connection: Connection, note: NoteUnread): void {
  // Node has removed its own listeners, so a reset would end the process, and the client's end would stay behind unread bytes.
  connection.socket.on("error", () => {}).resume();
  if (connection.isClosing) return;
  respondToUnread(connection, new Problem("malformed_request", "CONNECT is for proxies"), note);
}

/** Responds on the socket and closes it, after the responses to the requests before. */
function respondToUnread(connection: Connection, problem: Problem, note: NoteUnread): void {
  connection.whenIdle(() => {
    // A malformed rest of a body has its response already.
    if (connection.isLingering) return connection.close();
    const id = requestId({ headers: {} });
    connection.close(rawProblem(problem, id));
    note(problem.code, id);
  });
}
