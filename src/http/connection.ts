/** Failures below the routes: bytes that are no HTTP, headers that are too slow or too large, paths that are no paths. */
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { ProblemCode } from "../problems.ts";
import { Problem } from "../problems.ts";
import { handleError, rawProblem } from "./refuse.ts";
import { requestId } from "./request-id.ts";

/** Node's codes for what it could not read, where it is not simply malformed. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/**
 * The requests of a connection that are not answered yet: a refusal written there would stand in the middle of an answer. A count,
 * since a client that pipelines has several.
 */
const unanswered = new WeakMap<Socket, number>();

/** A request of this connection has begun. */
export function beginRequest(socket: Socket): void {
  unanswered.set(socket, (unanswered.get(socket) ?? 0) + 1);
}

/** A request of this connection has its answer. */
export function endRequest(socket: Socket): void {
  unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
}

/** Answers on the bare socket, then closes it; closes at once where another answer is under way. */
export function handleClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const isAnswering = (unanswered.get(socket) ?? 0) > 0;
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering) return void socket.destroy();
  const code = CODES[error.code ?? ""] ?? "malformed_request";
  socket.end(
    rawProblem(
      new Problem(code, DETAILS[code] ?? "the request is not valid HTTP/1.1"),
      requestId({ headers: {} }),
    ),
  );
}

const DETAILS: Partial<Record<ProblemCode, string>> = {
  headers_too_large: "expected at most 16384 bytes of headers",
  request_timeout: "the headers did not arrive within 5 seconds",
};

/** Fastify's errors before a route is found. */
export function handleFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header("x-request-id", request.id);
  handleError(error, request, reply);
}
