/** Asks the server for the same request, and says whether its numbers have the bits of the page's. */
import type { ServerResponse } from "../request/api.ts";
import { askServer, NoResponseError, TokenError } from "../request/api.ts";
import { differenceOf } from "../request/comparison.ts";
import type { Body, LossRequest } from "../request/request.ts";
import { Refusal } from "../tensors/typed-arrays.ts";
import { byId, setText } from "./dom.ts";

const MAX_SHOWN_CHARS = 20_000;

let controller = new AbortController();

/** Sends the request and compares the response with the page's own, or with its refusal. */
export async function checkWithServer(request: LossRequest, own: Body | Refusal): Promise<void> {
  clearServerCheck();
  const { signal } = controller;
  setText("server-verdict", "Asking the server ...");
  try {
    const response = await askServer(request, readToken(), signal);
    setText("server-verdict", verdictOf(response, own));
    setText("answer", truncate(formatJson(response.json)));
    byId("answer-box").hidden = false;
    if (response.problem?.code === "unauthorized") (byId("token-box") as HTMLDetailsElement).open = true;
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof TokenError) setText("server-verdict", error.message);
    else if (error instanceof NoResponseError)
      setText("server-verdict", `The server does not respond: ${error.message}`);
    else throw error;
  }
}

/** Removes a response to an older request. */
export function clearServerCheck(): void {
  controller.abort();
  controller = new AbortController();
  setText("server-verdict", "");
  setText("answer", "");
  byId("answer-box").hidden = true;
}

export function readToken(): string {
  return (byId("token") as HTMLInputElement).value.trim();
}

function verdictOf(response: ServerResponse, own: Body | Refusal): string {
  if (response.problem !== undefined) {
    const { code, detail, errors } = response.problem;
    const isSame = own instanceof Refusal && own.code === code;
    return `The server refuses it${isSame ? ", too" : ""} (${code}): ${errors?.[0]?.detail ?? detail}`;
  }
  if (own instanceof Refusal) return "The server accepts it, although this page refuses it.";
  const difference = differenceOf(own, response.members);
  return difference === undefined
    ? "The server’s numbers are the same, bit by bit."
    : `The server’s numbers differ: ${difference}`;
}

/** Truncates a long text, and says so. */
export function truncate(text: string): string {
  if (text.length <= MAX_SHOWN_CHARS) return text;
  return `${text.slice(0, MAX_SHOWN_CHARS)}\n... ${MAX_SHOWN_CHARS} of ${text.length} characters are shown`;
}

/** Formats JSON with one line for each row of numbers, and -0 with its sign. */
function formatJson(json: unknown): string {
  const withSign = (_name: string, value: unknown): unknown => (Object.is(value, -0) ? "-0.0" : value);
  return JSON.stringify(json, withSign, 1)
    .replaceAll('"-0.0"', "-0.0")
    .replaceAll(/\[\s+([^[\]{}]*?)\s+\]/g, (_, row: string) => `[${row.replaceAll(/\s*\n\s*/g, " ")}]`);
}
