/** Handles the response of `lossd send`. */
import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { UserError, withoutUser } from "../user-error.ts";
import { escapeJson, escapeText } from "./escape.ts";
import { JsonIntegrity, SafetensorsIntegrity } from "./integrity.ts";
import type { Output } from "./output.ts";
import type { Terminal } from "./terminal.ts";
import { TOKEN_ADVICE } from "./usage.ts";

/** Limits on the characters of an error response and of its detail in the message. */
const [MAX_ERROR_CHARS, MAX_REASON_CHARS] = [64 * 1024, 1000];

/** Content types of printed and of stored responses. The Accept header names the first. */
export const ACCEPT = {
  json: ["application/json"],
  safetensors: ["application/vnd.safetensors", "application/x-safetensors"],
} as const;

/** Rejects a response with an unexpected content type. */
export function checkType({ headers }: IncomingMessage, types: readonly string[]): void {
  const [type = ""] = (headers["content-type"] ?? "").split(";");
  if (types.includes(type.trim().toLowerCase())) return;
  const got = type === "" ? "none" : escapeText(type);
  throw new UserError(`expected a response of type ${types[0]}, got ${got}: is lossd at this address?`);
}

/** Prints JSON as it arrives and returns its byte count. */
export async function print(response: IncomingMessage, terminal: Terminal): Promise<number> {
  const integrity = new JsonIntegrity();
  let bytes = 0;
  const decoder = new StringDecoder();
  for await (const piece of response) {
    integrity.push(piece);
    await terminal.out(escapeJson(decoder.write(piece)));
    terminal.stopped.throwIfAborted();
    bytes += piece.length;
  }
  await terminal.out(`${escapeJson(decoder.end())}\n`);
  integrity.end();
  return bytes;
}

/** Stores a safetensors file as it arrives and returns its byte count. */
export async function store(response: IncomingMessage, output: Output): Promise<number> {
  const integrity = new SafetensorsIntegrity();
  let bytes = 0;
  for await (const piece of response) {
    integrity.push(piece);
    await output.write(piece);
    bytes += piece.length;
  }
  integrity.end();
  return bytes;
}

/** Explains a response whose status is not 200 in one line. */
export async function errorOf(response: IncomingMessage, hasToken: boolean): Promise<UserError> {
  const { statusCode = 0, headers } = response;
  if (statusCode < 400) {
    const to = headers.location === undefined ? "" : ` to ${escapeText(withoutUser(headers.location))}`;
    return new UserError(`expected status 200, got ${statusCode}${to}`);
  }
  let text = "";
  for await (const piece of response.setEncoding("utf8")) {
    text += piece;
    if (text.length > MAX_ERROR_CHARS) break;
  }
  const advice = statusCode === 401 && !hasToken ? `; ${TOKEN_ADVICE}` : "";
  return new UserError(`rejected with ${statusCode}${reasonOf(text)}${advice}`);
}

function reasonOf(text: string): string {
  try {
    const { code, detail } = JSON.parse(text);
    if (typeof code === "string" && typeof detail === "string")
      return ` ${escapeText(code)}: ${escapeText(detail, MAX_REASON_CHARS)}`;
  } catch {
    // Not a problem document, for example a proxy's error page.
  }
  return `: ${escapeText(text)}`;
}
