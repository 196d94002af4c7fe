/** Pages for people: the playground at GET /, the guide at GET /guide/, and the files that they load. They talk to the same API as every client. */
import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";

/** A file of a page, and where it is. */
export interface Page {
  readonly path: string;
  readonly type: string;
  read(): Buffer;
}

/** A page that has been asked for: from then on it is answered from memory. */
interface Held {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Nothing but the server's own files and its API: no inline script or style, no frame, no form that leaves. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HIDDEN = { schema: { hide: true } };

/** Its files may be kept, if the server is asked whether they are still the same (RFC 9111, section 5.2.2.4). */
export function registerPages(app: FastifyInstance, pages: readonly Page[]): void {
  for (const page of pages) {
    let held: Held | undefined;
    app.get(page.path, HIDDEN, (request, reply) => {
      held ??= hold(page);
      const { bytes, etag } = held;
      reply.header("etag", etag).header("cache-control", "no-cache");
      if (isKnown(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply
        .header("content-type", page.type)
        .header("content-security-policy", POLICY)
        .header("referrer-policy", "no-referrer")
        .send(bytes);
    });
  }
  // Relative, so that it also holds below a proxy's path.
  app.get("/guide", HIDDEN, (_request, reply) => reply.redirect("guide/", 308));
}

function hold(page: Page): Held {
  const bytes = page.read();
  return { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
}

/** Whether a client has this version (RFC 9110, section 13.1.2). */
function isKnown(known: string | undefined, etag: string): boolean {
  return (
    known !== undefined &&
    (known === "*" || known.split(",").some((one) => one.trim().replace(/^W\//, "") === etag))
  );
}
