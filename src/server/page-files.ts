/** Page files in the build's output. */
import { readdirSync, readFileSync } from "node:fs";
import type { Page } from "../http/static/pages.ts";
import { PLAYGROUND_POLICY, REFERENCE_POLICY } from "../http/static/pages.ts";

/** Folder of the bundle, or of the last build when run from src/. */
const DIST = new URL(import.meta.url.endsWith(".ts") ? "../../dist/" : "../", import.meta.url);

const DOCS = "/docs/static/";

const FILES = [
  { path: "/", file: "playground/index.html", policy: PLAYGROUND_POLICY },
  { path: "/playground/page.js", file: "playground/page.js" },
  { path: "/playground/kernel.wasm", file: "core/kernel.wasm" },
  { path: "/playground/kernel-plain.wasm", file: "core/kernel-plain.wasm" },
  { path: "/playground/theme.js", file: "playground/theme.js" },
  { path: "/playground/base.css", file: "playground/base.css" },
  { path: "/playground/style.css", file: "playground/style.css" },
  { path: "/docs/", file: "reference/index.html", policy: REFERENCE_POLICY },
  { path: `${DOCS}reference.css`, file: "reference/reference.css" },
  { path: `${DOCS}reference.js`, file: "reference/reference.js" },
  { path: `${DOCS}swagger-ui-bundle.js`, file: "reference/swagger-ui-bundle.js" },
  { path: `${DOCS}swagger-ui.css`, file: "reference/swagger-ui.css" },
  { path: `${DOCS}favicon-32x32.png`, file: "reference/favicon-32x32.png" },
] as const;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  json: "application/json; charset=utf-8",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  png: "image/png",
};

/** Lists the page files. Each is read on its first request, not at the start. */
export function readPages(): Page[] {
  const guide = readdirSync(new URL("guide/", DIST)).map((file) => ({
    path: `/guide/${file.replace(/(?:index)?\.html$/, "")}`,
    file: `guide/${file}`,
  }));
  return [...FILES, ...guide].map(({ path, file, ...rest }) => ({
    ...rest,
    path,
    type: TYPES[file.slice(file.lastIndexOf(".") + 1)]!,
    read: () => readFileSync(new URL(file, DIST)),
  }));
}
