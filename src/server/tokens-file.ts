/** Reads bearer tokens from files, for the server and for its clients. */
import { readFileSync, statSync } from "node:fs";
import { ConfigError } from "../config/config.ts";
import { faultOf, UserError } from "../user-error.ts";

/** Pattern of a bearer token (RFC 6750, section 2.1). */
export const TOKEN = "[A-Za-z0-9._~+/-]+=*";

const WHOLE = new RegExp(`^${TOKEN}$`);

/**
 * Parses one token per line, ignoring blank lines and lines that begin with #. Rejects with {@link UserError} a file
 * without tokens and a malformed line. No message quotes a line because a wrong file may hold other secrets.
 */
export function readTokenLines(text: string): string[] {
  const tokens: string[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    const token = line.trim();
    if (token === "" || token.startsWith("#")) continue;
    if (!WHOLE.test(token)) {
      const wanted = "expected a token alone, of letters, digits and ._~+/-, with = at its end only";
      throw new UserError(`line ${at + 1}: ${wanted}`);
    }
    tokens.push(token);
  }
  if (tokens.length === 0) throw new UserError("expected one token per line, got none");
  return tokens;
}

/**
 * Reads the file of TOKENS_FILE. Rejects with {@link ConfigError}. A server that runs reads regular files only, because
 * a pipe would block it until somebody writes.
 */
export function readTokensFile(file: string, isRunning = false): string[] {
  try {
    if (isRunning && !statSync(file).isFile()) throw new UserError("expected a regular file");
    return readTokenLines(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`TOKENS_FILE=${file}: ${faultOf(error)}`);
  }
}
