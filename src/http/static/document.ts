/** Documents that stay the same while the server runs, compressed once for each coding. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip, zstdCompress } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { ResponseCoding } from "../content/accept-encoding.ts";
import { chooseCoding, varyByCoding } from "../content/accept-encoding.ts";

/** A document shorter than this fits one packet, so a coding would save nothing. */
const MIN_COMPRESSED_BYTES = 1400;

/** High levels, because each document is compressed once. All run outside of the event loop. */
const COMPRESS: Readonly<Record<ResponseCoding, (bytes: Buffer) => Promise<Buffer>>> = {
  zstd: (bytes) => promisify(zstdCompress)(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 12 } }),
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  gzip: (bytes) => promisify(gzip)(bytes, { level: 9 }),
};

/** The bytes of a document in one coding, with their entity tag. */
interface Representation {
  readonly bytes: Buffer;
  readonly etag: string;
  /** Undefined for identity. */
  readonly coding: ResponseCoding | undefined;
}

/** Document that is read with its first request, and then kept. */
export class StaticDocument {
  readonly #read: () => Buffer;
  #identity: Representation | undefined;
  readonly #encoded = new Map<ResponseCoding, Promise<Representation>>();

  constructor(read: () => Buffer) {
    this.#read = read;
  }

  /**
   * Sends the representation that the client prefers, with the document's `headers`, or 304 if the client has it. Browsers and caches may keep
   * it, but must revalidate (RFC 9111, section 5.2.2.4).
   */
  async send(
    request: FastifyRequest,
    reply: FastifyReply,
    headers: Readonly<Record<string, string>>,
  ): Promise<FastifyReply> {
    const { bytes, etag, coding } = await this.#negotiate(reply);
    reply.header("etag", etag).header("cache-control", "no-cache");
    if (coding !== undefined) reply.header("content-encoding", coding);
    // Node sends a 304 without the bytes, and with their length, which a response to HEAD must have, too (RFC 9110, section 8.6).
    if (isKnown(request.headers["if-none-match"], etag)) reply.code(304);
    return reply.headers(headers).send(bytes);
  }

  /** The representation that the client prefers. Sets Vary. */
  async #negotiate(reply: FastifyReply): Promise<Representation> {
    this.#identity ??= represent(this.#read());
    const identity = this.#identity;
    if (identity.bytes.length < MIN_COMPRESSED_BYTES) return identity;
    varyByCoding(reply);
    const { coding } = chooseCoding(reply.request.headers["accept-encoding"]);
    return coding === undefined ? identity : this.#encode(identity, coding);
  }

  #encode(identity: Representation, coding: ResponseCoding): Promise<Representation> {
    let encoded = this.#encoded.get(coding);
    if (encoded === undefined) {
      encoded = COMPRESS[coding](identity.bytes).then((bytes) => represent(bytes, coding));
      this.#encoded.set(coding, encoded);
    }
    return encoded;
  }
}

/** Whether If-None-Match has the entity tag (RFC 9110, section 13.1.2). */
function isKnown(known: string | undefined, etag: string): boolean {
  return (
    known !== undefined &&
    (known === "*" || known.split(",").some((one) => one.trim().replace(/^W\//, "") === etag))
  );
}

/** Hashes the bytes because each coding needs its own entity tag (RFC 9110, section 8.8.3.3). */
function represent(bytes: Buffer, coding?: ResponseCoding): Representation {
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { bytes, etag, coding };
}
