/** Failures below the requests: bytes that are no HTTP, headers that are too slow or too large. */
import type { Socket } from "node:net";
import type { ProblemCode } from "../problems.ts";
import { Problem } from "../problems.ts";
import { rawProblem } from "./refuse.ts";
import { requestId } from "./request-id.ts";

/** Node's codes for what it could not read, where it is not simply malformed. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Bytes, and milliseconds, for the headers of a request. */
export const HEADERS = { bytes: 16 * 1024, time: 5000 } as const;

/** What waits on a connection: a refusal written before all requests are answered would stand in the middle of an answer. */
interface Turns {
  /** Requests that are not answered yet, the one that runs among them. */
  unanswered: number;
  /** Starts those that wait, in order. */
  readonly waiting: (() => void)[];
}

const turns = new WeakMap<Socket, Turns>();

/** Requests that a client may send ahead of its answers on one connection. */
const MAX_AHEAD = 64;

/** Starts a request when those before it on its connection are answered: a client that pipelines 20,000 has one running. */
export function beginRequest(socket: Socket, start: () => void): void {
  let turn = turns.get(socket);
  if (turn === undefined) {
    turn = { unanswered: 0, waiting: [] };
    turns.set(socket, turn);
  }
  turn.unanswered++;
  if (turn.unanswered === 1) start();
  else if (turn.waiting.push(start) > MAX_AHEAD) socket.destroy();
}

/** A request of this connection has its answer: the next one starts. */
export function endRequest(socket: Socket): void {
  const turn = turns.get(socket);
  if (turn === undefined) return;
  turn.unanswered--;
  if (socket.destroyed) turn.waiting.length = 0;
  turn.waiting.shift()?.();
}

/** Answers on the bare socket, then closes it, and lets `note` know; closes at once where another answer is under way. */
export function handleClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  note: (code: ProblemCode, id: string) => void,
): void {
  const isAnswering = (turns.get(socket)?.unanswered ?? 0) > 0;
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering) return void socket.destroy();
  const code = CODES[error.code ?? ""] ?? "malformed_request";
  const id = requestId({ headers: {} });
  socket.end(rawProblem(new Problem(code, DETAILS[code] ?? "the request is not valid HTTP/1.1"), id));
  note(code, id);
}

const DETAILS: Partial<Record<ProblemCode, string>> = {
  headers_too_large: `expected at most ${HEADERS.bytes} bytes of headers`,
  request_timeout: `the headers did not arrive within ${HEADERS.time / 1000} seconds`,
};
