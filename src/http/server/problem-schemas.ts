/** Schema of error responses (RFC 9457), and the error responses of each operation. */
import { Type } from "typebox";
import type { ProblemCode } from "../../problems.ts";
import { PROBLEMS } from "../../problems.ts";

const ProblemError = Type.Object(
  {
    pointer: Type.String({ description: "RFC 6901 pointer into the body." }),
    detail: Type.String({ description: "Expected and actual value." }),
  },
  { $id: "ProblemError", title: "ProblemError" },
);

const CODES = Object.keys(PROBLEMS).map((code) => `\`${code}\``);

// A string instead of an enum, because clients that validate enums would break on the first new code.
const ProblemCodeSchema = Type.Unsafe<ProblemCode>(
  Type.String({
    $id: "ProblemCode",
    title: "ProblemCode",
    description: `Stable error code. Codes may be added. Current codes: ${CODES.join(", ")}.`,
  }),
);

const Problem = Type.Object(
  {
    type: Type.String({ format: "uri", description: "urn:lossd:problem: followed by the code." }),
    title: Type.String({ description: "Summary of the error, the same for every occurrence." }),
    status: Type.Integer({ minimum: 100, maximum: 599, description: "The HTTP status." }),
    detail: Type.String({ description: "Description of this occurrence." }),
    code: Type.Ref("ProblemCode#"),
    errors: Type.Optional(Type.Array(Type.Ref("ProblemError#"), { description: "Errors in the body." })),
    request_id: Type.String({ description: "Same as the response's x-request-id." }),
  },
  { $id: "Problem", title: "Problem", description: "Error response: application/problem+json, RFC 9457." },
);

export const PROBLEM_SCHEMAS = [ProblemError, ProblemCodeSchema, Problem];

/** Description of each error status. A test compares the statuses with the table in problems.ts. */
const MEANINGS: Readonly<Record<number, string>> = {
  400: "The request or its body cannot be parsed.",
  401: "Tokens are configured, and the request has no valid token.",
  404: "Nothing is at this path.",
  405: "The path does not support this method. Allow lists the supported ones.",
  406: "Accept allows no available response format.",
  408: "The request did not arrive in time.",
  411: "The request has no body.",
  413: "The body is larger than the limit.",
  415: "The media type or content coding of the body is not supported.",
  417: "The expectation in the Expect header is not supported.",
  422: "The request is well-formed but invalid: schema, shapes, ranges, or an error of PyTorch.",
  431: "The headers are too large.",
  500: "The server failed. Its log has the cause under the request id.",
  503: "The server is overloaded. Retry after Retry-After seconds.",
};

/** Error statuses of every path, caused by the head of a request. */
const EVERYWHERE = [400, 417, 431];

/** Error formats with their media types and schemas. */
const FORMS = {
  problem: { "application/problem+json": { schema: Type.Ref("Problem#") } },
  inference: { "application/json": { schema: Type.Ref("InferenceError#") } },
} as const;

/** Headers of error responses. */
const HEADERS: Readonly<Record<number, Readonly<Record<string, object>>>> = {
  401: { "WWW-Authenticate": { type: "string", description: "The authentication scheme: Bearer." } },
  415: {
    "Accept-Encoding": {
      type: "string",
      description: "The supported codings, if the Content-Encoding of the body is none of them.",
    },
  },
  503: {
    "Retry-After": {
      type: "integer",
      minimum: 1,
      description: "Seconds to wait before the request is sent again.",
    },
  },
};

/**
 * Returns the error responses of a route, in the format of its protocol. Adds the error statuses of every path. 431 is always a problem
 * document, because headers that are too large hide the path.
 */
export function errorResponses(
  form: keyof typeof FORMS,
  statuses: readonly number[],
): Record<number, unknown> {
  return Object.fromEntries(
    [...EVERYWHERE, ...statuses].map((status) => [
      status,
      {
        description: MEANINGS[status],
        ...(HEADERS[status] && { headers: HEADERS[status] }),
        content: FORMS[status === 431 ? "problem" : form],
      },
    ]),
  );
}
