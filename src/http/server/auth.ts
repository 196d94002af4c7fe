/** Checks bearer tokens (RFC 6750), if configured, before the body and on every route but health and the HTML pages. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Problem } from "../../problems.ts";
import { pathOf } from "./head-checks.ts";

/** Digests of the accepted tokens. An empty list disables the check. */
export type Tokens = readonly Buffer[];

/** Accepted tokens of a server. */
export interface AcceptedTokens {
  /** Latest tokens, read for each request because they may be replaced. */
  readonly tokens: Tokens;
}

/** Authorization header of RFC 6750, section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;
/** Routes without a token: probes, the playground, where a user enters a token, and the guide, which explains how. */
const OPEN = /^\/(?:(?:v2\/)?health\/(?:live|ready)|(?:playground\/[\w.-]+)?|guide(?:\/[\w.-]*)?)$/;

/** Hashes tokens, because the server keeps only their digests. */
export function digestTokens(tokens: readonly string[]): Tokens {
  return tokens.map(digest);
}

/** Serialises digests for another process. */
export function toText(tokens: Tokens): string[] {
  return tokens.map((token) => token.toString("hex"));
}

/** Parses serialised digests. */
export function fromText(texts: readonly string[]): Tokens {
  return texts.map((text) => Buffer.from(text, "hex"));
}

/** Rejects a request without an accepted token. Compares every token in constant time, so timing reveals nothing. */
export function checkToken(tokens: Tokens, { headers, url = "" }: IncomingMessage): void {
  if (tokens.length === 0 || OPEN.test(pathOf(url))) return;
  const given = BEARER.exec(headers.authorization ?? "")?.[1];
  const hash = digest(given ?? "");
  let isKnown = false;
  for (const token of tokens) isKnown = timingSafeEqual(token, hash) || isKnown;
  if (given !== undefined && isKnown) return;
  const detail =
    given === undefined ? "expected Authorization: Bearer and a token" : "the token is not known";
  throw new Problem("unauthorized", detail);
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
