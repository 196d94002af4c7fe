/** Asks the server for the response to a request, to compare it with the page's own. */

import { toJson } from "../tensors/tensor-text.ts";
import type { LossRequest, Operation } from "./request.ts";
import type { Members } from "./response.ts";
import { membersOf } from "./response.ts";

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

/** Thrown for a token that cannot be sent. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/** The response of the server as it came, with either its results or its error. */
export type ServerResponse = { readonly json: unknown } & (
  | { readonly members: Members; readonly problem?: undefined }
  | { readonly problem: Problem }
);

/** Returns the URL of an operation. Works below a proxy's path. */
export function urlOf(operation: Operation): string {
  return new URL(`v1/${operation}`, document.baseURI).href;
}

/**
 * Sends a request.
 *
 * @throws {NoResponseError} if there is no response of lossd
 * @throws {TokenError} if a header cannot carry the token
 */
export async function askServer(
  { operation, body }: LossRequest,
  token: string,
  signal: AbortSignal,
): Promise<ServerResponse> {
  const headers = headersOf(token);
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
  const members = response.ok ? membersOf(json) : undefined;
  if (members !== undefined) return { json, members };
  if (isProblem(json)) return { json, problem: json };
  throw new NoResponseError(`The response has status ${response.status} and is not from lossd.`);
}

function headersOf(token: string): Headers {
  const headers = new Headers({ "content-type": "application/json" });
  if (token === "") return headers;
  try {
    headers.set("authorization", `Bearer ${token}`);
    return headers;
  } catch {
    throw new TokenError("The token has a character that a header cannot carry.");
  }
}

function isProblem(json: unknown): json is Problem {
  const { code, detail } = (json ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}
