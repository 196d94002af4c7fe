/** What `lossd send` does with an answer. */
import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { UserError, withoutUser } from "../errors.ts";
import type { Sink } from "./sink.ts";
import type { Terminal } from "./terminal.ts";
import { shown, shownJson } from "./text.ts";
import { TOKEN_ADVICE } from "./usage.ts";
import { WholeJson, WholeSafetensors } from "./whole.ts";

/** Characters of a refusal that are read, and of its reason that are shown. */
const [REFUSAL, REASON] = [64 * 1024, 1000];

/** The Content-Types of answers that are printed, and of those that are stored; the first is asked for. */
export const ACCEPT = {
  json: ["application/json"],
  safetensors: ["application/vnd.safetensors", "application/x-safetensors"],
} as const;

/** Refuses an answer of another type. */
export function checkType({ headers }: IncomingMessage, types: readonly string[]): void {
  const [type = ""] = (headers["content-type"] ?? "").split(";");
  if (types.includes(type.trim().toLowerCase())) return;
  const got = type === "" ? "none" : shown(type);
  throw new UserError(`expected an answer of type ${types[0]}, got ${got}: is lossd at this address?`);
}

/** Prints JSON as it comes; its bytes. */
export async function print(answer: IncomingMessage, terminal: Terminal): Promise<number> {
  const whole = new WholeJson();
  let bytes = 0;
  const decoder = new StringDecoder();
  for await (const piece of answer) {
    whole.push(piece);
    await terminal.out(shownJson(decoder.write(piece)));
    terminal.stopped.throwIfAborted();
    bytes += piece.length;
  }
  await terminal.out(`${shownJson(decoder.end())}\n`);
  whole.end();
  return bytes;
}

/** Stores a safetensors file as it comes; its bytes. */
export async function store(answer: IncomingMessage, sink: Sink): Promise<number> {
  const whole = new WholeSafetensors();
  let bytes = 0;
  for await (const piece of answer) {
    whole.push(piece);
    await sink.write(piece);
    bytes += piece.length;
  }
  whole.end();
  return bytes;
}

/** What an answer with another status than 200 says, in one line. */
export async function refusalOf(answer: IncomingMessage, hasToken: boolean): Promise<UserError> {
  const { statusCode = 0, headers } = answer;
  if (statusCode < 400) {
    const to = headers.location === undefined ? "" : ` to ${shown(withoutUser(headers.location))}`;
    return new UserError(`expected status 200, got ${statusCode}${to}`);
  }
  let text = "";
  for await (const piece of answer.setEncoding("utf8")) {
    text += piece;
    if (text.length > REFUSAL) break;
  }
  const advice = statusCode === 401 && !hasToken ? `; ${TOKEN_ADVICE}` : "";
  return new UserError(`refused with ${statusCode}${reasonOf(text)}${advice}`);
}

function reasonOf(text: string): string {
  try {
    const { code, detail } = JSON.parse(text);
    if (typeof code === "string" && typeof detail === "string")
      return ` ${shown(code)}: ${shown(detail, REASON)}`;
  } catch {
    // A proxy's page, say.
  }
  return `: ${shown(text)}`;
}
