/** A Worker with the packed library under Miniflare, which runs Cloudflare's workerd. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toolPath } from "./project.ts";

/** What the tests use of Miniflare. */
interface Worker {
  dispatchFetch(url: string, init?: object): Promise<{ json(): Promise<unknown> }>;
  dispose(): Promise<void>;
}

interface MiniflareModule {
  readonly Miniflare: new (options: object) => Worker;
}

const CORE = "node_modules/lossd-core";

/** Starts a Worker of modules, each a name and its text, the first with its handler. Undefined if Miniflare is not installed. */
export async function startWorker(
  project: string,
  sources: readonly (readonly [path: string, text: string])[],
): Promise<Worker | undefined> {
  const miniflare = toolPath("miniflare/dist/src/index.js");
  if (miniflare === undefined) return undefined;
  const { Miniflare } = (await import(miniflare)) as MiniflareModule;
  const files = [`${CORE}/workerd.js`, `${CORE}/losses.js`].map(
    (path) => [path, readFileSync(join(project, path), "utf8")] as const,
  );
  const modules = [...sources, ...files].map(([path, text]) => ({
    type: "ESModule",
    path,
    // As Wrangler resolves it, by the condition workerd.
    contents: text.replace('from "lossd-core"', `from "./${CORE}/workerd.js"`),
  }));
  const kernel = `${CORE}/kernel.wasm`;
  const compiled = { type: "CompiledWasm", path: kernel, contents: readFileSync(join(project, kernel)) };
  return new Miniflare({ modules: [...modules, compiled], compatibilityDate: "2026-01-01" });
}
