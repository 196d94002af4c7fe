/** The playground: GET / and the two files that it loads. It talks to the same API as every client. */
import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";

/** A file of the playground, and where it is. */
export interface Page {
  readonly path: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** Nothing but the server's own files and its API: no inline script or style, no frame, no form that leaves. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Its files may be kept, if the server is asked whether they are still the same (RFC 9111, section 5.2.2.4). */
export function registerPlayground(app: FastifyInstance, pages: readonly Page[]): void {
  for (const { path, type, bytes } of pages) {
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
    app.get(path, { schema: { hide: true } }, (request, reply) => {
      reply.header("etag", etag).header("cache-control", "no-cache");
      if (isKnown(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply
        .header("content-type", type)
        .header("content-security-policy", POLICY)
        .header("referrer-policy", "no-referrer")
        .send(bytes);
    });
  }
}

/** Whether a client has this version (RFC 9110, section 13.1.2). */
function isKnown(known: string | undefined, etag: string): boolean {
  return (
    known !== undefined &&
    (known === "*" || known.split(",").some((one) => one.trim().replace(/^W\//, "") === etag))
  );
}
