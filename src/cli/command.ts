/** What the command line asks for: `lossd [serve]`, `lossd check URL`, `lossd send FILE URL`. */
import type { ParseArgsOptionsConfig } from "node:util";
import { parseArgs } from "node:util";
import { flagOf, PlainError, SETTING_ENTRIES } from "../config.ts";

/** Thrown for a command line that cannot be read; the message says what was expected. */
export class UsageError extends PlainError {
  override readonly name = "UsageError";
}

export interface Serve {
  readonly name: "serve";
  /** Settings that stand on the command line, by their names in the environment. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface Check {
  readonly name: "check";
  readonly url: URL;
  /** A file with a bearer token. */
  readonly tokenFile: string | undefined;
  /** One JSON document instead of lines. */
  readonly json: boolean;
}

export interface Send {
  readonly name: "send";
  readonly file: string;
  /** The operation's address, with the options in the query string. */
  readonly url: URL;
  readonly tokenFile: string | undefined;
  /** Where the answer goes as a safetensors file; undefined: JSON on standard output. */
  readonly output: string | undefined;
}

export type Command =
  | Serve
  | Check
  | Send
  | { readonly name: "help"; readonly of: "serve" | "check" | "send" }
  | { readonly name: "version" };

const OPERATIONS = ["cross_entropy", "nll_loss", "log_softmax"];

const COMMON: ParseArgsOptionsConfig = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
};
const CLIENT: ParseArgsOptionsConfig = { ...COMMON, "token-file": { type: "string" } };

/** Reads the arguments behind the program's name. Refuses with {@link UsageError}. */
export function readCommand(args: readonly string[]): Command {
  const [first = ""] = args;
  if (first === "check") return readCheck(args.slice(1));
  if (first === "send") return readSend(args.slice(1));
  return readServe(first === "serve" ? args.slice(1) : args);
}

function readServe(args: readonly string[]): Command {
  const names = new Map(SETTING_ENTRIES.map(([setting]) => [flagOf(setting), setting]));
  const flags = Object.fromEntries([...names.keys()].map((flag) => [flag, { type: "string" as const }]));
  const { values, positionals } = parse(args, { ...COMMON, ...flags });
  const other = commonOf(values, "serve");
  if (other !== undefined) return other;
  if (positionals.length > 0)
    throw new UsageError(`expected one of serve, check and send, got ${positionals[0]}`);
  const settings = Object.entries(values).map(([flag, value]) => [names.get(flag)!, String(value)]);
  return { name: "serve", settings: Object.fromEntries(settings) };
}

function readCheck(args: readonly string[]): Command {
  const { values, positionals } = parse(args, { ...CLIENT, json: { type: "boolean" } });
  const other = commonOf(values, "check");
  if (other !== undefined) return other;
  const [url] = expectPositionals(positionals, ["URL"]);
  return {
    name: "check",
    url: readUrl(url!),
    tokenFile: values["token-file"] as string,
    json: values.json === true,
  };
}

function readSend(args: readonly string[]): Command {
  const { values, positionals } = parse(args, {
    ...CLIENT,
    operation: { type: "string" },
    option: { type: "string", multiple: true },
    output: { type: "string" },
  });
  const other = commonOf(values, "send");
  if (other !== undefined) return other;
  const [file, base] = expectPositionals(positionals, ["FILE", "URL"]);
  const { operation = "cross_entropy", option = [], output } = values;
  if (!OPERATIONS.includes(String(operation)))
    throw new UsageError(`--operation: expected one of ${OPERATIONS.join(", ")}, got ${operation}`);
  const url = below(readUrl(base!), `v1/${operation}`);
  for (const pair of option as readonly string[]) {
    const at = pair.indexOf("=");
    if (at <= 0) throw new UsageError(`--option: expected NAME=VALUE, got ${pair}`);
    url.searchParams.append(pair.slice(0, at), pair.slice(at + 1));
  }
  const tokenFile = values["token-file"] as string | undefined;
  return { name: "send", file: file!, url, tokenFile, output: output as string | undefined };
}

/** The address of `path` below a server's, which may have a path of its own. */
export function below(base: URL, path: string): URL {
  return new URL(path, base.href.endsWith("/") ? base : `${base.href}/`);
}

function parse(args: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    // The first sentence says what is wrong; those after it are for flags that are meant as files.
    throw new UsageError((error as Error).message.split(". ", 1)[0]);
  }
}

function commonOf(values: object, of: "serve" | "check" | "send"): Command | undefined {
  if ("help" in values) return { name: "help", of };
  return "version" in values ? { name: "version" } : undefined;
}

function expectPositionals(given: readonly string[], names: readonly string[]): readonly string[] {
  if (given.length === names.length) return given;
  throw new UsageError(
    `expected ${names.join(" and ")}, got ${given.length === 0 ? "nothing" : given.join(" ")}`,
  );
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`expected an address like http://127.0.0.1:8080, got ${text}`);
  if (/\/v[12]\b/.test(url.pathname))
    throw new UsageError(`expected the server's address alone, like ${url.origin}, got ${text}`);
  return url;
}
