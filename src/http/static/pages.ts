/** Serves HTML pages: the playground at GET /, the guide at GET /guide/, the reference at GET /docs/, and their files. Pages use the same API as every client. */
import type { FastifyInstance } from "fastify";
import { StaticDocument, sendRepresentation } from "./document.ts";

/** File of a page, with its path. */
export interface Page {
  readonly path: string;
  readonly type: string;
  /** Content-Security-Policy (default: the strictest, without inline styles). */
  readonly policy?: string;
  read(): Buffer;
}

/** Allows only the server's own files and API: no inline script or style, no frame, no form submission. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The playground compiles the kernels. `wasm-unsafe-eval` allows WebAssembly only, no eval of JavaScript. */
export const PLAYGROUND_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'");

/** Swagger UI writes inline styles. */
export const REFERENCE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HIDDEN = { schema: { hide: true } };

/** Registers pages whose files browsers may cache, but must revalidate (RFC 9111, section 5.2.2.4). */
export function registerPages(app: FastifyInstance, pages: readonly Page[]): void {
  for (const page of pages) {
    const document = new StaticDocument(() => page.read());
    app.get(page.path, HIDDEN, async (request, reply) => {
      const representation = await document.negotiate(reply);
      const { etag } = representation;
      reply.header("etag", etag).header("cache-control", "no-cache");
      if (isKnown(request.headers["if-none-match"], etag)) return reply.code(304).send();
      reply
        .header("content-type", page.type)
        .header("content-security-policy", page.policy ?? POLICY)
        .header("referrer-policy", "no-referrer");
      return sendRepresentation(reply, representation);
    });
  }
  // Relative, so that it also works below a proxy's path.
  for (const folder of ["guide", "docs"])
    app.get(`/${folder}`, HIDDEN, (_request, reply) => reply.redirect(`${folder}/`, 308));
}

/** Whether If-None-Match has the entity tag (RFC 9110, section 13.1.2). */
function isKnown(known: string | undefined, etag: string): boolean {
  return (
    known !== undefined &&
    (known === "*" || known.split(",").some((one) => one.trim().replace(/^W\//, "") === etag))
  );
}
