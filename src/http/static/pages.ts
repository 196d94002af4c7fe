/** Serves HTML pages: the playground at GET /, the guide at GET /guide/, the reference at GET /docs/, and their files. Pages use the same API as every client. */
import type { FastifyInstance } from "fastify";
import { StaticDocument } from "./document.ts";

/** File of a page, with its path. */
export interface Page {
  readonly path: string;
  readonly type: string;
  /** Content-Security-Policy (default: the strictest, without inline styles). */
  readonly policy?: string;
  readonly read: () => Buffer;
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

export function registerPages(app: FastifyInstance, pages: readonly Page[]): void {
  for (const { path, type, policy = POLICY, read } of pages) {
    const document = new StaticDocument(read);
    const headers = {
      "content-type": type,
      "content-security-policy": policy,
      "referrer-policy": "no-referrer",
    };
    app.get(path, HIDDEN, (request, reply) => document.send(request, reply, headers));
  }
  // Relative, so that it also works below a proxy's path.
  for (const folder of ["guide", "docs"])
    app.get(`/${folder}`, HIDDEN, (_request, reply) => reply.redirect(`${folder}/`, 308));
}
