/** The schema of every refusal (RFC 9457) and the responses that operations list. */
import { Type } from "typebox";
import type { ProblemCode } from "../../problems.ts";
import { PROBLEMS } from "../../problems.ts";

const ProblemError = Type.Object(
  {
    pointer: Type.String({ description: "RFC 6901 pointer to the place in the body." }),
    detail: Type.String({ description: "What was expected there and what came." }),
  },
  { $id: "ProblemError", title: "ProblemError" },
);

const CODES = Object.keys(PROBLEMS).map((code) => `\`${code}\``);

// A text and no enum: clients that hold answers to an enum would break on the first new code.
const ProblemCodeSchema = Type.Unsafe<ProblemCode>(
  Type.String({
    $id: "ProblemCode",
    title: "ProblemCode",
    description: `A stable word for the kind of refusal. Codes may be added; now there are ${CODES.join(", ")}.`,
  }),
);

const Problem = Type.Object(
  {
    type: Type.String({ format: "uri", description: "urn:lossd:problem: followed by the code." }),
    title: Type.String({ description: "The kind of refusal, the same for every occurrence." }),
    status: Type.Integer({ minimum: 100, maximum: 599, description: "The HTTP status." }),
    detail: Type.String({ description: "What was wrong with this request." }),
    code: Type.Ref("ProblemCode#"),
    errors: Type.Optional(
      Type.Array(Type.Ref("ProblemError#"), { description: "The places in the body that are wrong." }),
    ),
    request_id: Type.String({ description: "The same as the answer's x-request-id." }),
  },
  { $id: "Problem", title: "Problem", description: "A refusal: application/problem+json, RFC 9457." },
);

export const PROBLEM_SCHEMAS = [ProblemError, ProblemCodeSchema, Problem];

/** What each status of a refusal means; a test holds the statuses to the table in problems.ts. */
const MEANINGS: Readonly<Record<number, string>> = {
  400: "The request or its body cannot be parsed.",
  401: "Where tokens are configured: the request has none that is known.",
  404: "Nothing is at this path.",
  405: "The path does not support this method. Allow lists the supported ones.",
  406: "Accept allows no format that the answer can have.",
  408: "The request did not arrive in time.",
  411: "The request has no body.",
  413: "The body is larger than the limit.",
  415: "The body is of a type, or compressed in a way, that is not read.",
  417: "The Expect header asks for what is not known.",
  422: "The request can be parsed but not accepted: schema, shapes, ranges, and what PyTorch refuses.",
  431: "The headers are too large.",
  500: "The server failed; its log has the cause under the request id.",
  503: "No room now; Retry-After says when to try again.",
};

/** What can be refused on every path, for the head of its request. */
const EVERYWHERE = [400, 417, 431];

/** The forms of refusals, and what those of a form look like. */
const FORMS = {
  problem: { "application/problem+json": { schema: Type.Ref("Problem#") } },
  inference: { "application/json": { schema: Type.Ref("InferenceError#") } },
} as const;

/**
 * The responses of a route that can refuse with these statuses, beside those of every path, in the form of its protocol. Headers that are
 * too large hide the path, and with that the protocol.
 */
export function errorResponses(
  form: keyof typeof FORMS,
  statuses: readonly number[],
): Record<number, unknown> {
  return Object.fromEntries(
    [...EVERYWHERE, ...statuses].map((status) => [
      status,
      { description: MEANINGS[status], content: FORMS[status === 431 ? "problem" : form] },
    ]),
  );
}
