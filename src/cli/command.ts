/** Parses the command line: `lossd [serve]`, `lossd check URL`, `lossd send FILE URL`. */
import type { ParseArgsOptionsConfig } from "node:util";
import { parseArgs } from "node:util";
import { flagOf } from "../config/config.ts";
import { SETTING_ENTRIES } from "../config/settings.ts";
import { nearest, withoutUser, wordList } from "../user-error.ts";
import { below, readUrl } from "./address.ts";
import { OPERATIONS } from "./operations.ts";
import { UsageError } from "./usage.ts";

/** Commands with their own help text. */
const TOPICS = ["serve", "check", "send"] as const;

/** Command with its own help text. */
export type Topic = (typeof TOPICS)[number];

/** `lossd serve`. */
export interface Serve {
  readonly name: "serve";
  /** Settings given as flags, keyed by environment variable. */
  readonly settings: Readonly<Record<string, string>>;
}

/** `lossd check`. */
export interface Check {
  readonly name: "check";
  readonly url: URL;
  /** File with a bearer token. */
  readonly tokenFile: string | undefined;
  /** Unix socket to connect to instead of the URL's host and port. */
  readonly socket: string | undefined;
  /** Longest time for one response, in milliseconds. */
  readonly timeout: number;
  /** Prints one JSON document instead of lines. */
  readonly json: boolean;
}

/** `lossd send`. */
export interface Send {
  readonly name: "send";
  readonly file: string;
  /** URL of the operation with its options in the query string. */
  readonly url: URL;
  readonly tokenFile: string | undefined;
  readonly socket: string | undefined;
  /** Longest time without a byte in either direction, in milliseconds. */
  readonly timeout: number;
  /** File for a safetensors response. Undefined prints JSON to standard output. */
  readonly output: string | undefined;
}

/** Parsed command line. */
export type Command =
  | Serve
  | Check
  | Send
  | { readonly name: "help"; readonly of: Topic }
  | { readonly name: "version" };

const COMMON: ParseArgsOptionsConfig = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
};
const CLIENT: ParseArgsOptionsConfig = {
  ...COMMON,
  "token-file": { type: "string" },
  socket: { type: "string" },
  timeout: { type: "string" },
};

/** Parses the arguments after the program's name. Rejects with {@link UsageError}. */
export function readCommand(args: readonly string[]): Command {
  const [first = "", ...rest] = args;
  switch (first) {
    case "check":
      return readCheck(rest);
    case "send":
      return readSend(rest);
    case "help":
      return readHelp(rest);
    case "serve":
      return readServe(rest);
    default:
      if (first !== "" && !first.startsWith("-")) throw unknownCommand(first);
      return readServe(args);
  }
}

function readHelp(args: readonly string[]): Command {
  const { values, positionals } = parse("serve", args, COMMON);
  const [of = "serve", ...more] = positionals;
  const other = commonOf(values, of as Topic);
  if (more.length === 0 && TOPICS.includes(of as Topic)) return other ?? { name: "help", of: of as Topic };
  throw unknownCommand(more[0] ?? of);
}

/** Builds the error for an unknown command. */
function unknownCommand(word: string): UsageError {
  const fault = `expected ${wordList(TOPICS)}, got ${withoutUser(word)}`;
  // Suggests --port because npm consumes unknown flags and passes on only their values.
  if (/^\d{2,5}$/.test(word))
    return new UsageError(fault, `did you mean --port ${word}? With npm: npm start -- --port ${word}`);
  const near = nearest(word, [...TOPICS, "help"]);
  return near === undefined ? new UsageError(fault) : new UsageError(fault, `did you mean ${near}?`);
}

function readServe(args: readonly string[]): Command {
  const names = new Map(SETTING_ENTRIES.map(([setting]) => [flagOf(setting), setting]));
  const flags = Object.fromEntries([...names.keys()].map((flag) => [flag, { type: "string" as const }]));
  const { values, positionals } = parse("serve", args, { ...COMMON, ...flags });
  const other = commonOf(values, "serve");
  if (other !== undefined) return other;
  if (positionals.length > 0) throw unknownCommand(positionals[0]!);
  const settings = Object.entries(values).map(([flag, value]) => [names.get(flag)!, String(value)]);
  return { name: "serve", settings: Object.fromEntries(settings) };
}

function readCheck(args: readonly string[]): Command {
  const { values, positionals } = parse("check", args, { ...CLIENT, json: { type: "boolean" } });
  const other = commonOf(values, "check");
  if (other !== undefined) return other;
  const [url] = expectPositionals("check", positionals, ["URL"]);
  return {
    name: "check",
    url: readUrl(url!),
    tokenFile: values["token-file"] as string | undefined,
    socket: values.socket as string | undefined,
    timeout: readTimeout(values.timeout ?? "10"),
    json: values.json === true,
  };
}

function readSend(args: readonly string[]): Command {
  const { values, positionals } = parse("send", args, {
    ...CLIENT,
    operation: { type: "string" },
    option: { type: "string", multiple: true },
    output: { type: "string" },
  });
  const other = commonOf(values, "send");
  if (other !== undefined) return other;
  const [file, base] = expectPositionals("send", positionals, ["FILE", "URL"]);
  const { operation = OPERATIONS[0], option = [], output } = values;
  if (!OPERATIONS.some((name) => name === operation))
    throw new UsageError(`--operation: expected ${wordList(OPERATIONS)}, got ${operation}`);
  const url = below(readUrl(base!), `v1/${operation}`);
  for (const pair of option as readonly string[]) {
    const at = pair.indexOf("=");
    if (at <= 0) throw new UsageError(`--option: expected NAME=VALUE, got ${pair}`);
    url.searchParams.append(pair.slice(0, at), pair.slice(at + 1));
  }
  return {
    name: "send",
    file: file!,
    url,
    tokenFile: values["token-file"] as string | undefined,
    socket: values.socket as string | undefined,
    timeout: readTimeout(values.timeout ?? "30"),
    output: output as string | undefined,
  };
}

/** Converts seconds to milliseconds. */
function readTimeout(seconds: unknown): number {
  if (/^\d{1,5}$/.test(String(seconds)) && Number(seconds) > 0) return Number(seconds) * 1000;
  throw new UsageError(`--timeout: expected whole seconds from 1 to 99999, got ${seconds}`);
}

function parse(of: Topic, args: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const { message } = error as Error;
    const [, vague] = /^Option '--([^' ]+).*' argument is ambiguous/.exec(message) ?? [];
    if (vague !== undefined)
      throw new UsageError(`--${vague}: expected a value that does not begin with -`, helpFor(of));
    // Keeps the first sentence because the others explain file names that look like flags.
    const fault = message.split(". ", 1)[0]!;
    const [, flag = ""] = /^Unknown option '--([^']+)'/.exec(fault) ?? [];
    throw new UsageError(fault, adviceFor(of, flag, Object.keys(options)));
  }
}

/** Suggests a similar flag, a flag with this prefix, or an option of the operation. */
function adviceFor(of: Topic, flag: string, flags: readonly string[]): string {
  const near = nearest(flag, flags) ?? flags.find((other) => other.startsWith(`${flag}-`));
  if (flag !== "" && near !== undefined) return `did you mean --${near}?`;
  return of === "send" && flag !== ""
    ? `pass options of the operation with --option, as in --option ${flag}=VALUE; ${helpFor(of)}`
    : helpFor(of);
}

function helpFor(of: Topic): string {
  return of === "serve" ? "see lossd --help" : `see lossd help ${of}`;
}

function commonOf(values: object, of: Topic): Command | undefined {
  if ("help" in values) return { name: "help", of };
  return "version" in values ? { name: "version" } : undefined;
}

function expectPositionals(of: Topic, given: readonly string[], names: readonly string[]): readonly string[] {
  if (given.length === names.length) return given;
  const got = given.length === 0 ? "nothing" : given.map(withoutUser).join(" ");
  throw new UsageError(`expected ${names.join(" and ")}, got ${got}`, helpFor(of));
}
