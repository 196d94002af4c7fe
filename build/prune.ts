/**
 * After the bundling: removes from it what neither the server, nor its commands, nor the library reaches; the scripts of pages are bundles of their own.
 * `node build/prune.ts DIST`.
 */
import { readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { argv } from "node:process";

const DIST = argv[2]!;
const ENTRIES = ["main.js", "index.js", "index.d.ts"];
const IMPORT = /(?:from |import )"(\.[^"]+)"|import\("(\.[^"]+)"\)/g;

const reached = new Set<string>();

function reach(file: string): void {
  if (reached.has(file)) return;
  reached.add(file);
  for (const [, named, dynamic] of readFileSync(file, "utf8").matchAll(IMPORT)) {
    const other = resolve(file, "..", named ?? dynamic!);
    reach(file.endsWith(".d.ts") ? other.replace(/\.[jt]s$/, ".d.ts") : other);
  }
}

for (const entry of ENTRIES) reach(join(DIST, entry));
for (const file of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
  if (/^(?!guide\/|playground\/|reference\/).*\.(?:js|d\.ts)$/.test(file) && !reached.has(join(DIST, file)))
    rmSync(join(DIST, file));
}
// Folders last, the innermost first; what is not empty stays.
for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true }).reverse()) {
  const folder = join(entry.parentPath, entry.name);
  if (entry.isDirectory() && readdirSync(folder).length === 0) rmdirSync(folder);
}
