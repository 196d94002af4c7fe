/** One line for each request: operation (or the path of what is none), dtype, shape, bytes, milliseconds; never a tensor. */
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from "fastify";
import type { ProblemCode } from "../problems.ts";
import { echo, PROBLEMS } from "../problems.ts";
import { traceId } from "./request-id.ts";

/** nginx's status for a client that left before its answer: only the log and the metrics see it. */
export const CLIENT_GONE = 499;

/** The status that the client got, or {@link CLIENT_GONE}. */
export function finalStatus({ raw, statusCode }: FastifyReply): number {
  return raw.headersSent ? statusCode : CLIENT_GONE;
}

export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const input = request.job?.operand("input");
  request.log.info(
    {
      operation: request.job?.operation ?? request.routeOptions.url ?? "none",
      path: request.is404 ? echo(request.url.split("?", 1)[0]!) : undefined,
      method: request.method,
      status: finalStatus(reply),
      problem: request.problem,
      dtype: input?.dtype,
      shape: input?.shape,
      bytes: request.job?.bytes,
      ms: Math.round(reply.elapsedTime * 1000) / 1000,
      trace_id: request.trace?.id ?? traceId(request.headers),
    },
    "request",
  );
}

/** The line of a refusal of what could not be read as a request. */
export function logUnread(logger: FastifyBaseLogger, problem: ProblemCode, reqId: string): void {
  logger.info({ reqId, operation: "none", status: PROBLEMS[problem].status, problem }, "request");
}
