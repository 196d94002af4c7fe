/** Files of bearer tokens, read in one way by the server and by the commands that ask it. */
import { readFileSync } from "node:fs";
import { ConfigError } from "../config.ts";
import { faultOf, UserError } from "../errors.ts";

/** What a bearer token is made of (RFC 6750, section 2.1), as the source of a pattern. */
export const TOKEN = "[A-Za-z0-9._~+/-]+=*";

const WHOLE = new RegExp(`^${TOKEN}$`);

/**
 * The tokens of a file: one a line; blank lines and lines that begin with # do not count. Refuses with {@link UserError} a file without any, and a
 * line that is none, which no request could match; no message shows a line: whoever took the wrong file may have secrets in it.
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
  if (tokens.length === 0) throw new UserError("expected a token a line, got none");
  return tokens;
}

/** The tokens of the setting TOKENS_FILE. Rejects with {@link ConfigError} a file that cannot be read or that {@link readTokenLines} rejects. */
export function readTokensFile(file: string): string[] {
  try {
    return readTokenLines(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`TOKENS_FILE=${file}: ${faultOf(error)}`);
  }
}
