/** One log line per request: operation (or the route), dtype, shape, bytes, milliseconds; never a tensor. */
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from "fastify";
import type { ProblemCode } from "../../problems.ts";
import { echo, PROBLEMS } from "../../problems.ts";

const OWN_ID = /^[A-Za-z0-9._-]{1,64}$/;
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** The client's own `x-request-id` when it is 1 to 64 of `A-Z a-z 0-9 . _ -`, otherwise a new one. */
export function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const own = headers["x-request-id"];
  return typeof own === "string" && OWN_ID.test(own) ? own : randomUUID();
}

/** An id for bytes that could not be read as a request. */
export function newRequestId(): string {
  return randomUUID();
}

/** nginx's status for a client that left before its response: only logs and metrics show it. */
export const CLIENT_GONE = 499;

/** The status that the client got, or {@link CLIENT_GONE}. */
export function finalStatus({ raw, statusCode }: FastifyReply): number {
  return raw.headersSent ? statusCode : CLIENT_GONE;
}

export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { log, context } = request;
  const loss = context?.loss;
  const input = loss?.input;
  log.info(
    {
      operation: loss?.operation ?? request.routeOptions.url ?? "none",
      path: request.is404 ? echo(request.url.split("?", 1)[0]!) : undefined,
      method: request.method,
      status: finalStatus(reply),
      problem: context?.problem,
      dtype: input?.dtype,
      shape: input?.shape,
      bytes: loss?.bytes,
      ms: Math.round(reply.elapsedTime * 1000) / 1000,
      trace_id: context?.trace?.id ?? traceId(request.headers),
    },
    "request",
  );
}

/** Logs an error of bytes that could not be read as a request. */
export function logUnread(logger: FastifyBaseLogger, problem: ProblemCode, reqId: string): void {
  logger.info({ reqId, operation: "none", status: PROBLEMS[problem].status, problem }, "request");
}

/** The trace id of a W3C `traceparent` header; undefined when there is no valid one. */
export function traceId({ traceparent }: IncomingHttpHeaders): string | undefined {
  if (typeof traceparent !== "string") return undefined;
  const id = TRACEPARENT.exec(traceparent)?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
