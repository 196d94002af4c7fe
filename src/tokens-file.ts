/** Files of bearer tokens, read in one way by the server and by the commands that ask it. */

/** What a bearer token is made of (RFC 6750, section 2.1), as the source of a pattern. */
export const TOKEN = "[A-Za-z0-9._~+/-]+=*";

/** A token's line, and its number for messages: the text itself must not be shown. */
export interface TokenLine {
  readonly text: string;
  readonly line: number;
}

/** The tokens of a file: one a line; blank lines and lines that begin with # do not count. */
export function tokenLines(text: string): readonly TokenLine[] {
  return text
    .split("\n")
    .map((line, at) => ({ text: line.trim(), line: at + 1 }))
    .filter((line) => line.text !== "" && !line.text.startsWith("#"));
}
