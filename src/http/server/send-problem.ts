/** Converts every failure into a problem document (RFC 9457, application/problem+json). */
import type http from "node:http";
import { createRequire } from "node:module";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { LossError } from "../../loss/loss-error.ts";
import type { ProblemCode, ProblemError } from "../../problems.ts";
import { PROBLEMS, Problem } from "../../problems.ts";
import { ArenaFull, ArenaTooSmall } from "../../tensor/arena.ts";
import { READABLE_CODINGS } from "../content/content-coding.ts";
import { ACCEPTED, tooLarge } from "../content/content-headers.ts";
import type { ParsedBody, RequestContext } from "../context.ts";
import { CLIENT_GONE } from "../context.ts";
import { ClientGone } from "../turns.ts";
import { pathOf } from "./head-checks.ts";
import { LIMITS } from "./timeouts.ts";
import { describeValidation } from "./validation.ts";

/** Not imported, because an ES import of node:http reads all of its exports, which loads undici (11 ms of the start). */
const { STATUS_CODES } = createRequire(import.meta.url)("node:http") as typeof http;

const PROBLEM_TYPE = "application/problem+json";

/** Seconds after which a client may retry when no memory is free. Buffered requests end within a few seconds. */
const RETRY_AFTER_S = 1;

/** Problem document (RFC 9457, section 3.1) with lossd's extensions. */
interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly errors?: readonly ProblemError[];
  readonly request_id: string;
}

/** Converts an error into its document. `type` names the row of the table in docs/problems.md. */
export function problemDocument(problem: Problem, requestId: string): ProblemDocument {
  const { status, title } = PROBLEMS[problem.code];
  return {
    type: `urn:lossd:problem:${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
    request_id: requestId,
  };
}

/** Whether a target belongs to the Open Inference Protocol, which has its own error format. */
export function isInference(url: string): boolean {
  return /^\/v2(?:\/|$)/.test(pathOf(url));
}

/** Sends an error response. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const document = problemDocument(problem, reply.request.id);
  if (document.status === 503) reply.header("retry-after", problem.retryAfter ?? RETRY_AFTER_S);
  if (problem.code === "unsupported_content_encoding") reply.header("accept-encoding", READABLE_CODINGS);
  if (document.status === 401) reply.header("www-authenticate", "Bearer");
  const { context } = reply.request;
  if (!reply.raw.shouldKeepAlive || (context && mayLoseNext(context))) {
    reply.header("connection", "close");
  } else if (reply.hasHeader("connection")) {
    // Keeps the connection, which Fastify would close in the middle of a body, because a request may follow the body.
    const { keepAliveTimeout } = reply.server.server;
    reply
      .header("connection", "keep-alive")
      .header("keep-alive", `timeout=${Math.floor(keepAliveTimeout / 1000)}`);
  }
  if (context) context.problem = problem.code;
  if (isInference(reply.request.url)) {
    const error = Buffer.from(JSON.stringify({ error: document.detail }));
    return reply.code(document.status).header("content-type", "application/json").send(error);
  }
  // Sent as bytes because Fastify would add a charset to text, which RFC 8259 does not define for JSON.
  return reply
    .code(document.status)
    .header("content-type", PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(document)));
}

/** Whether a request that follows the body of this one may get no response. */
function mayLoseNext({ exchange: { request, holdsBody }, loss }: RequestContext): boolean {
  // The next bytes may be the body that the client holds back, or another request.
  if (holdsBody) return true;
  const { upgrade, "content-length": length } = request.headers;
  // A short body is read in the event of its last bytes, and Node notes its end after that.
  const isRead = loss !== undefined && loss.coding === undefined && loss.bytes === Number(length);
  if (request.complete || isRead) return false;
  // Behind a body with Upgrade, which Java's HttpClient sends with every request, Node drops the rest of the bytes that it has read.
  return upgrade !== undefined || Number(length) > LIMITS.lingerBytes;
}

/** Handles errors for Fastify. Reports an unexpected exception as an internal error and logs its cause. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof ClientGone) return reply.code(CLIENT_GONE).send();
  const problem = problemOf(error, request);
  if (problem.code === "internal_error")
    request.log.error({ reqId: request.id, err: error }, "request failed");
  return sendProblem(reply, problem);
}

function problemOf(error: FastifyError | Problem, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof LossError) return request.context.loss!.locate!(error);
  if (error instanceof ArenaFull) return new Problem("overloaded", "no memory is free for this request now");
  if (error instanceof ArenaTooSmall) {
    return tooLarge(`${error.bytes} bytes of memory`, { bytes: error.limit, setting: "MEMORY_BUDGET" });
  }
  if (error.validation !== undefined) return describeBody(error.validation, request);
  switch (error.code) {
    case "FST_ERR_BAD_URL":
      return new Problem("malformed_request", "the path is not a valid URL path");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Problem("unsupported_media_type", `expected Content-Type ${ACCEPTED}`);
    default:
      return otherProblem(error.statusCode ?? 500);
  }
}

function describeBody(errors: NonNullable<FastifyError["validation"]>, request: FastifyRequest): Problem {
  const { body, routeOptions, server } = request;
  const value = (body as ParsedBody | undefined)?.value;
  return describeValidation(errors, {
    value,
    schema: routeOptions.schema?.body,
    find: (id) => server.getSchema(id),
  });
}

/** Maps the status of any other error of Fastify. An exception without a status is the server's fault. */
function otherProblem(status: number): Problem {
  if (status >= 400 && status < 500)
    return new Problem("malformed_request", "the request's headers cannot be met");
  return new Problem("internal_error", "the request could not be completed");
}

/** Formats an error response for a socket on which no request could be read. Closes the connection. */
export function rawProblem(problem: Problem, requestId: string): string {
  const document = problemDocument(problem, requestId);
  const body = JSON.stringify(document);
  return [
    `HTTP/1.1 ${document.status} ${STATUS_CODES[document.status]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    "x-content-type-options: nosniff",
    "connection: close",
    "",
    body,
  ].join("\r\n");
}
