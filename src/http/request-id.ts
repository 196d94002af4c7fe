/** The names by which a request is found again: its id, and the trace that it belongs to. */
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

const OWN_ID = /^[A-Za-z0-9._-]{1,64}$/;
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** The client's own `x-request-id` when it is 1 to 64 of `A-Z a-z 0-9 . _ -`, otherwise a new one. */
export function requestId(request: Pick<IncomingMessage, "headers">): string {
  const own = request.headers["x-request-id"];
  return typeof own === "string" && OWN_ID.test(own) ? own : randomUUID();
}

/** The trace id of a W3C `traceparent` header, for the log; undefined when there is no valid one. */
export function traceId(headers: IncomingHttpHeaders): string | undefined {
  const { traceparent } = headers;
  if (typeof traceparent !== "string") return undefined;
  const id = TRACEPARENT.exec(traceparent)?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
