/** The files that built files import, directly and indirectly. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** Matches imports as tsc and the minifier write them. */
const IMPORT = /(?:from|import) ?"(\.[^"]+)"|import\(["`](\.[^"`]+)["`]\)/g;

/** Returns the entries and all files that they import. A file of types reaches files of types. */
export function reachedFrom(entries: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const reach = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, named, dynamic] of readFileSync(file, "utf8").matchAll(IMPORT)) {
      const other = resolve(file, "..", named ?? dynamic!);
      reach(file.endsWith(".d.ts") ? other.replace(/\.[jt]s$/, ".d.ts") : other);
    }
  };
  for (const entry of entries) reach(entry);
  return reached;
}
