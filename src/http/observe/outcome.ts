/** Outcome of a request, read once for its log line, its metrics and its span. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Connection } from "../connection.ts";
import type { Outcome } from "../context.ts";

/** Status of nginx for a client that disconnected before its response, so it is seen only in logs, metrics and spans. */
export const CLIENT_GONE = 499;

/** Reads the outcome when the response has closed. Node sets `writableFinished` once the kernel has all bytes of the response. */
export function outcomeOf(
  request: FastifyRequest,
  { raw, statusCode, elapsedTime }: FastifyReply,
  connection: Connection,
): Outcome {
  const { headersSent } = raw;
  const admitted = request.context?.loss;
  // Fastify builds routeOptions anew each time, so requests in the hot path do not read it.
  const route = admitted === undefined ? request.routeOptions : undefined;
  return {
    operation: admitted === undefined ? route?.config?.operation : admitted.operation,
    model: admitted === undefined ? route?.config?.model : admitted.model,
    route: route?.url,
    status: headersSent ? statusCode : CLIENT_GONE,
    isAborted: headersSent && !raw.writableFinished,
    ms: elapsedTime,
    bytesSent: connection.takeWritten(),
  };
}
