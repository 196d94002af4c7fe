/**
 * After the bundling: removes what neither the server nor its commands reach. The playground, the reference and the
 * library are complete in themselves. `node build/prune.ts DIST`.
 */
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { reachedFrom } from "./reach.ts";

const DIST = argv[2]!;
const reached = reachedFrom([join(DIST, "main.js")]);

for (const file of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
  if (/^(?!playground\/|reference\/|core\/).*\.(?:js|d\.ts)$/.test(file) && !reached.has(join(DIST, file)))
    rmSync(join(DIST, file));
}
// Folders last, the innermost first; what is not empty stays.
for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true }).reverse()) {
  const folder = join(entry.parentPath, entry.name);
  if (entry.isDirectory() && readdirSync(folder).length === 0) rmdirSync(folder);
}
