/** Content codings of responses, chosen by Accept-Encoding (RFC 9110, section 12.5.3). */
import type { FastifyReply } from "fastify";
import Negotiator from "negotiator";
import { shortenAccept } from "./content-headers.ts";

/** Codings of responses, the cheapest for JSON numbers first. */
const RESPONSE_CODINGS = ["zstd", "br", "gzip"] as const;

export type ResponseCoding = (typeof RESPONSE_CODINGS)[number];

/** The choice for one request. */
export interface CodingChoice {
  /** Preferred coding, or undefined for identity. */
  readonly coding: ResponseCoding | undefined;
  /** Whether the client rejects identity, as `gzip, identity;q=0` does. */
  readonly isRequired: boolean;
}

const IDENTITY: CodingChoice = { coding: undefined, isRequired: false };

/** Adds the parameter that the types of negotiator 1.0 lack, the order among codings of equal quality. */
interface EncodingNegotiator {
  encoding(available: readonly string[], options?: { preferred: readonly string[] }): string | undefined;
}

/**
 * Chooses the coding of the highest quality, and among equals the first of {@link RESPONSE_CODINGS}. A header that is absent or empty means
 * identity. So does a header that rejects every coding and identity too, which section 12.4.1 lets the server disregard. Names and `q` are
 * case-insensitive, but negotiator reads only a lower-case `q`.
 */
export function chooseCoding(header: string | undefined): CodingChoice {
  if (header === undefined || header === "") return IDENTITY;
  const headers = { "accept-encoding": shortenAccept(header).toLowerCase() };
  const negotiator: EncodingNegotiator = new Negotiator({ headers });
  const found = negotiator.encoding([...RESPONSE_CODINGS, "identity"], { preferred: RESPONSE_CODINGS });
  const coding = RESPONSE_CODINGS.find((name) => name === found);
  if (coding === undefined) return IDENTITY;
  return { coding, isRequired: negotiator.encoding(["identity"]) === undefined };
}

/** Adds Accept-Encoding to Vary, which may already name Origin. */
export function varyByCoding(reply: FastifyReply): void {
  const before = reply.getHeader("vary");
  reply.header("vary", before === undefined ? "accept-encoding" : `${before}, accept-encoding`);
}
