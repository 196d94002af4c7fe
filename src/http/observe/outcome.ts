/** Outcome of a request, read once for its log line, its metrics and its span. */
import type { FastifyReply } from "fastify";
import type { Outcome } from "../context.ts";

/** Status of nginx for a client that disconnected before its response, used only in logs and metrics. */
export const CLIENT_GONE = 499;

/** Reads the outcome when the response has closed. Node sets `writableFinished` once the kernel has all bytes of the response. */
export function outcomeOf({ raw, statusCode, elapsedTime }: FastifyReply): Outcome {
  const { headersSent } = raw;
  return {
    status: headersSent ? statusCode : CLIENT_GONE,
    isAborted: headersSent && !raw.writableFinished,
    ms: elapsedTime,
  };
}
