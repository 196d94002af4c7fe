/** Asks the server for the response to a request, to compare it with the page's own. */

import { toJson } from "../tensors/tensor-text.ts";
import type { Body, LossRequest, Operation } from "./request.ts";

const REQUEST_TIMEOUT_MS = 30_000;

/** Members of an error response in the form of RFC 9457. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly detail: string }[];
}

/** Thrown if no response of lossd arrives: the connection fails, the request times out, or a proxy responds. */
export class NoResponseError extends Error {
  override readonly name = "NoResponseError";
}

/** The response of the server: results, or an error. */
export interface ServerResponse {
  readonly json: Body;
  /** Undefined for results. */
  readonly problem: Problem | undefined;
}

/** Returns the URL of an operation. Works below a proxy's path. */
export function urlOf(operation: Operation): string {
  return new URL(`v1/${operation}`, document.baseURI).href;
}

/**
 * Sends a request.
 *
 * @throws {NoResponseError} if there is no response of lossd
 */
export async function askServer(
  { operation, body }: LossRequest,
  token: string,
  signal: AbortSignal,
): Promise<ServerResponse> {
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
  if (response.ok && typeof json === "object") return { json: json as Body, problem: undefined };
  if (isProblem(json)) return { json: json as unknown as Body, problem: json };
  throw new NoResponseError(`The response has status ${response.status} and is not from lossd.`);
}

function isProblem(json: unknown): json is Problem {
  const { code, detail } = (json ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}
