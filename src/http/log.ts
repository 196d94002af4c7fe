/** One line for each request: operation, dtype, shape, bytes, milliseconds; never a tensor. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { traceId } from "./request-id.ts";

export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const input = request.job?.operand("input");
  request.log.info(
    {
      operation: request.job?.operation ?? request.routeOptions.url ?? "none",
      method: request.method,
      status: reply.statusCode,
      problem: request.problem,
      dtype: input?.dtype,
      shape: input?.shape,
      bytes: request.job?.bytes,
      ms: Math.round(reply.elapsedTime * 1000) / 1000,
      trace_id: traceId(request.headers),
    },
    "request",
  );
}
