/** Writes one log line per request with operation or route, dtype, shape, bytes and milliseconds, but never a tensor. */
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { FastifyBaseLogger, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import pino from "pino";
import type { ProblemCode } from "../../problems.ts";
import { excerpt, PROBLEMS } from "../../problems.ts";
import type { Outcome } from "../context.ts";

const OWN_ID = /^[A-Za-z0-9._-]{1,64}$/;
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** Returns the client's `x-request-id` if it is 1 to 64 of `A-Z a-z 0-9 . _ -`, otherwise a new id. */
export function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const own = headers["x-request-id"];
  return typeof own === "string" && OWN_ID.test(own) ? own : randomUUID();
}

/** Parts from which a pino logger builds its lines. */
interface LineParts {
  /** Bindings of all lines, such as pid, as members of a JSON object. */
  readonly bindings: string;
  readonly stream: { write(line: string): void };
  /** Time as a member of a JSON object. */
  readonly time: () => string;
}

function partsOf(logger: Logger): LineParts {
  const { chindingsSym, streamSym, timeSym } = pino.symbols;
  const parts = logger as unknown as Record<symbol, unknown>;
  return {
    bindings: parts[chindingsSym] as string,
    stream: parts[streamSym] as LineParts["stream"],
    time: parts[timeSym] as LineParts["time"],
  };
}

/** Numbers of levels in lines. */
const LEVELS = { debug: pino.levels.values.debug, info: pino.levels.values.info };

/** Writes one line per request, like pino's `info`, or `debug` for successful probes and scrapes, because pino's own formatting takes 3 µs of a request's 40. */
export class RequestLog {
  readonly #logger: Logger;
  readonly #parts: LineParts;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#parts = partsOf(logger);
  }

  write(request: FastifyRequest, { operation, route, status, isAborted, ms, bytesSent }: Outcome): void {
    const level = route !== undefined && status < 400 && isRoutine(route) ? "debug" : "info";
    if (!this.#logger.isLevelEnabled(level)) return;
    const { id, context, method } = request;
    const loss = context?.loss;
    const { bindings, stream, time } = this.#parts;
    let line = `{"level":${LEVELS[level]}${time()}${bindings},"reqId":"${id}"`;
    line += `,"operation":${operation === undefined ? JSON.stringify(route ?? "none") : `"${operation}"`}`;
    if (request.is404) line += `,"path":${JSON.stringify(excerpt(request.url.split("?", 1)[0]!))}`;
    line += `,"method":"${method}","status":${status}`;
    if (isAborted) line += `,"aborted":true`;
    if (context?.problem !== undefined) line += `,"problem":"${context.problem}"`;
    if (loss?.input !== undefined)
      line += `,"dtype":"${loss.input.dtype}","shape":[${loss.input.shape.join()}]`;
    if (loss !== undefined) line += `,"bytes":${loss.bytes}`;
    line += `,"bytes_sent":${bytesSent},"ms":${Math.round(ms * 1000) / 1000}`;
    const trace = context?.trace?.id ?? traceId(request.headers);
    if (trace !== undefined) line += `,"trace_id":"${trace}"`;
    stream.write(`${line},"msg":"request"}\n`);
  }
}

/** Whether a route is for probes or scrapes, which come every few seconds and do no work. */
export function isRoutine(route: string): boolean {
  return /^\/(?:(?:v2\/)?health\/|metrics$)/.test(route);
}

/** Logs an error of bytes that could not be read as a request. */
export function logUnread(logger: FastifyBaseLogger, problem: ProblemCode, reqId: string): void {
  logger.info({ reqId, operation: "none", status: PROBLEMS[problem].status, problem }, "request");
}

/** Returns the trace id of a W3C `traceparent` header, or undefined without a valid one. */
export function traceId({ traceparent }: IncomingHttpHeaders): string | undefined {
  if (typeof traceparent !== "string") return undefined;
  const id = TRACEPARENT.exec(traceparent)?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
