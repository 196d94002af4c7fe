/** The files of the pages for people, as the build leaves them. */
import { readdirSync, readFileSync } from "node:fs";
import type { Page } from "../http/static/pages.ts";

/** Where the bundle is, whose folder has another name while it is built, and for src/ the last build. */
const DIST = new URL(import.meta.url.endsWith(".ts") ? "../../dist/" : "../", import.meta.url);

const FILES = [
  { path: "/", file: "playground/index.html" },
  { path: "/playground/main.js", file: "playground/main.js" },
  { path: "/playground/theme.js", file: "playground/theme.js" },
  { path: "/playground/base.css", file: "playground/base.css" },
  { path: "/playground/style.css", file: "playground/style.css" },
  { path: "/playground/guide.css", file: "playground/guide.css" },
] as const;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** What there is; a file is read when it is first asked for, and not before the server listens. */
export function readPages(): Page[] {
  const guide = readdirSync(new URL("guide/", DIST)).map((file) => ({
    path: `/guide/${file.replace(/(?:index)?\.html$/, "")}`,
    file: `guide/${file}`,
  }));
  return [...FILES, ...guide].map(({ path, file }) => ({
    path,
    type: TYPES[file.slice(file.lastIndexOf(".") + 1)]!,
    read: () => readFileSync(new URL(file, DIST)),
  }));
}
