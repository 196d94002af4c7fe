/** Bearer tokens (RFC 6750), where the operator has configured some: checked before the body, on every route but health and the pages for people. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Problem } from "../../problems.ts";

/** The digests of the accepted tokens; none: every request is let in. */
export type Tokens = readonly Buffer[];

/** A token of RFC 6750, section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;
/** Probes carry no token; nor does a browser that fetches the playground, where a person types one, or the guide, which says how. */
const OPEN = /^\/(?:(?:v2\/)?health\/(?:live|ready)|(?:playground\/[\w.]+)?|guide(?:\/[\w.-]*)?)$/;

/** The digests of tokens, which are all that the server keeps of them. */
export function digestTokens(tokens: readonly string[]): Tokens {
  return tokens.map(digest);
}

/** Digests as texts, for another process. */
export function toText(tokens: Tokens): string[] {
  return tokens.map((token) => token.toString("hex"));
}

/** The digests again. */
export function fromText(texts: readonly string[]): Tokens {
  return texts.map((text) => Buffer.from(text, "hex"));
}

/** Refuses a request without one of the tokens. Every token is compared, in constant time, so that the time tells nothing. */
export function checkToken(tokens: Tokens, { headers, url = "" }: IncomingMessage): void {
  if (tokens.length === 0 || OPEN.test(url.split("?", 1)[0]!)) return;
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
