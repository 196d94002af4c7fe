/** The playground's files, as the build leaves them. */
import { readFileSync } from "node:fs";
import type { Page } from "./http/playground.ts";

/** Beside the bundle, and seen from src/ too. */
const FOLDER = new URL("../dist/playground/", import.meta.url);

const FILES = [
  { path: "/", file: "index.html", type: "text/html; charset=utf-8" },
  { path: "/playground/main.js", file: "main.js", type: "text/javascript; charset=utf-8" },
  { path: "/playground/style.css", file: "style.css", type: "text/css; charset=utf-8" },
] as const;

/** Reads them once; a server answers from memory. */
export function readPlayground(): Page[] {
  return FILES.map(({ path, file, type }) => ({ path, type, bytes: readFileSync(new URL(file, FOLDER)) }));
}
