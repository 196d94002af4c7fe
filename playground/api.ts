/** Calls of the server's API: the form's own request, and the requests for the steps of its loss. */
import type { Body, LossRequest, Operation } from "./request.ts";
import { dimOf } from "./request.ts";
import { roundOperand } from "./scores.ts";
import type { Nested } from "./slices.ts";
import { mapElements } from "./slices.ts";
import { toJson } from "./tensor-text.ts";

const REQUEST_TIMEOUT_MS = 30_000;

/** An error response in the form of RFC 9457. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** Thrown for an error response of lossd. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Thrown if no response of lossd arrives: the connection fails, the request times out, or a proxy responds. */
export class NoResponseError extends Error {
  override readonly name = "NoResponseError";
}

/** A loss computed in another way. */
export interface NamedLoss {
  readonly name: string;
  readonly loss: number | string;
}

/** A request with its response and the steps of its loss. */
export interface Results {
  readonly request: LossRequest;
  /** The response to the request, as received. */
  readonly response: Body;
  /** The dimension along which the probabilities add up to 1. */
  readonly dim: number;
  /** Log-probabilities: the output of log_softmax, or the input of nll_loss. */
  readonly logProbs: Nested;
  /** The loss of each position, as with reduction none. */
  readonly losses: Nested | undefined;
  readonly gradInput: Nested | undefined;
  readonly gradTarget: Nested | undefined;
  /** All other tensors and numbers of the response, by their names. */
  readonly others: Readonly<Record<string, Nested>>;
  /** The same loss in three equivalent ways, if requested. */
  readonly threeWays: readonly NamedLoss[];
}

/** Members of a response that have a place of their own in the results, or are no tensors. */
const KNOWN_MEMBERS = ["output", "loss", "losses", "total_weight", "grad_input", "grad_target", "warnings"];

type Post = (operation: Operation, body: Body) => Promise<Body>;

/** Returns the URL of an operation. Works below a proxy's path. */
export function urlOf(operation: Operation): string {
  return new URL(`v1/${operation}`, document.baseURI).href;
}

/**
 * Sends a request, and fetches the steps of its loss.
 *
 * @throws {ProblemError} for an error response
 * @throws {NoResponseError} if there is no response of lossd
 */
export async function fetchResults(
  request: LossRequest,
  token: string,
  signal: AbortSignal,
): Promise<Results> {
  const post: Post = (operation, body) => postJson(operation, body, token, signal);
  const { operation, body } = request;
  // Waits for the form's own request first because its error is more useful than the error of a step.
  const response = await post(operation, body);
  const nestedBody = { ...body, format: "nested", non_finite: "string" };
  const isNested = (body.format ?? "nested") === "nested" && body.non_finite !== "null";
  const [nested, logProbs, losses, threeWays] = await Promise.all([
    isNested ? response : post(operation, nestedBody),
    fetchLogProbs(request, post),
    operation === "log_softmax" ? undefined : fetchLosses(operation, nestedBody, post),
    request.threeWays ? fetchThreeWays(request.input, request.target!, post) : [],
  ]);
  return {
    request,
    response,
    dim: dimOf(request),
    logProbs,
    losses,
    gradInput: nested.grad_input as Nested | undefined,
    gradTarget: nested.grad_target as Nested | undefined,
    others: othersOf(nested),
    threeWays,
  };
}

function othersOf(response: Body): Record<string, Nested> {
  const others = Object.entries(response).filter(([name]) => !KNOWN_MEMBERS.includes(name));
  return Object.fromEntries(others) as Record<string, Nested>;
}

async function postJson(operation: Operation, body: Body, token: string, signal: AbortSignal): Promise<Body> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== "") headers.authorization = `Bearer ${token}`;
  const response = await fetch(urlOf(operation), {
    method: "POST",
    headers,
    body: toJson(body),
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  }).catch((error: Error) => {
    if (signal.aborted) throw error;
    throw new NoResponseError(error.name === "TimeoutError" ? "The request timed out." : error.message);
  });
  const json: unknown = await response.json().catch(() => undefined);
  signal.throwIfAborted();
  if (response.ok && typeof json === "object") return json as Body;
  if (isProblem(json)) throw new ProblemError(json);
  throw new NoResponseError(`The response has status ${response.status} and is not from lossd.`);
}

function isProblem(json: unknown): json is Problem {
  const { code, detail } = (json ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}

/** Fetches log_softmax of the scores, after their transform. Returns the rounded input of nll_loss. */
async function fetchLogProbs(request: LossRequest, post: Post): Promise<Nested> {
  const { operation, body, input } = request;
  // The steps of a divergence do not show them.
  if (operation === "kl_div") return input;
  if (operation === "nll_loss") return mapElements(input, (value) => roundOperand(body, value));
  const dim = dimOf(request);
  const options = Object.fromEntries(
    ["dtype", "softcap", "temperature"]
      .filter((name) => body[name] !== undefined)
      .map((name) => [name, body[name]]),
  );
  return (await post("log_softmax", { input, dim, ...options })).output as Nested;
}

/** Fetches the loss of each position, a scalar for one sample. */
async function fetchLosses(operation: Operation, body: Body, post: Post): Promise<Nested> {
  const omitted = ["grad_output", "size_average", "reduce"];
  const kept = Object.entries(body).filter(
    ([name]) => !omitted.includes(name) && !name.startsWith("return_"),
  );
  return (await post(operation, { ...Object.fromEntries(kept), reduction: "none" })).losses as Nested;
}

/** Computes the loss of one-hot rows, of their class indices, and by nll_loss of log_softmax. */
async function fetchThreeWays(input: Nested, oneHot: Nested, post: Post): Promise<NamedLoss[]> {
  const target = (oneHot as number[][]).map((row) => row.indexOf(1));
  const { output } = await post("log_softmax", { input, dim: 1 });
  const ways = [
    ["cross_entropy of one-hot rows", "cross_entropy", { input, target: oneHot }],
    ["cross_entropy of class indices", "cross_entropy", { input, target }],
    ["nll_loss of log_softmax", "nll_loss", { input: output, target }],
  ] as const;
  const named = ways.map(async ([name, operation, body]) => {
    const { loss } = await post(operation, body);
    return { name, loss: loss as number | string };
  });
  return Promise.all(named);
}
