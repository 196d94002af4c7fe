/** Examples of the errors that every operation can have, by status. A test provokes each on each operation and compares the responses. */
import type { ProblemCode } from "../../problems.ts";
import { Problem } from "../../problems.ts";
import { isInference, problemDocument } from "../server/send-problem.ts";
import type { NamedExample } from "./examples/example.ts";

/** Operation of the document. */
export interface Route {
  readonly method: string;
  readonly path: string;
}

interface StatusExample {
  readonly code: ProblemCode;
  readonly summary: string;
  readonly detail: string;
}

const REQUEST_ID = "example";

const BY_STATUS: Readonly<Record<number, (route: Route) => StatusExample | undefined>> = {
  400: ({ method, path }) =>
    method === "get"
      ? {
          code: "malformed_request",
          summary: "A transfer coding besides chunked",
          detail: "expected Transfer-Encoding: chunked, got gzip, chunked",
        }
      : {
          code: "malformed_json",
          summary: "A comma at the end",
          detail: `byte 18: expected ${isInference(path) ? "a value" : "a number, a list, a comma or a closing bracket"}, got "]"`,
        },
  401: () => ({
    code: "unauthorized",
    summary: "No token, although the server has tokens",
    detail: "expected Authorization: Bearer and a token",
  }),
  404: ({ path }) => ({
    code: "not_found",
    summary: "A path below the operation",
    detail: `nothing is at ${path}/nothing; /openapi.json lists the operations and /docs shows them`,
  }),
  406: () => ({
    code: "not_acceptable",
    summary: "A client that accepts only HTML",
    detail:
      "Accept: text/html allows none of application/json, application/vnd.safetensors, application/x-safetensors",
  }),
  408: () => ({
    code: "request_timeout",
    summary: "An announced body that does not arrive",
    detail: "the body came slower than 1048576 bytes a second: 0 bytes in 5.5 s of waiting",
  }),
  411: () => ({
    code: "length_required",
    summary: "No body",
    detail: "expected a body, got neither Content-Length nor Transfer-Encoding",
  }),
  413: () => ({
    code: "body_too_large",
    summary: "A terabyte of JSON",
    detail: "expected at most 67108864 bytes (BODY_LIMIT), got 1000000000000 bytes",
  }),
  415: ({ path }) => ({
    code: "unsupported_media_type",
    summary: "A body of plain text",
    detail: `expected Content-Type ${isInference(path) ? "application/json or none, or the header Inference-Header-Content-Length" : "application/json, application/vnd.safetensors or application/x-safetensors"}, got text/plain`,
  }),
  417: () => ({
    code: "expectation_failed",
    summary: "An expectation besides 100-continue",
    detail: "expected no Expect but 100-continue",
  }),
  // Each operation under /v1 has its own.
  422: ({ path }) =>
    isInference(path)
      ? { code: "invalid_request", summary: "No inputs", detail: "/inputs: required, but missing" }
      : undefined,
  431: () => ({
    code: "headers_too_large",
    summary: "A header of 20,000 bytes",
    detail: "expected at most 16384 bytes of headers",
  }),
  500: () => ({
    code: "internal_error",
    summary: "A failure of the server",
    detail: "the request could not be completed",
  }),
  503: ({ method }) =>
    method === "get"
      ? {
          code: "overloaded",
          summary: "A cluster that does not respond",
          detail: "the cluster does not respond now",
        }
      : {
          code: "overloaded",
          summary: "No free memory",
          detail: "no memory is free for this request now",
        },
};

/** Returns the example of an error of an operation, by its code. None if the operation has examples of its own. */
export function statusExamples(status: number, route: Route): Record<string, NamedExample> {
  const example = BY_STATUS[status]?.(route);
  if (example === undefined) return {};
  const { code, summary, detail } = example;
  // Headers that are too large hide the path and with it the protocol.
  const hasProtocol = isInference(route.path) && status !== 431;
  const value = hasProtocol ? { error: detail } : problemDocument(new Problem(code, detail), REQUEST_ID);
  return { [code]: { summary, value } };
}
