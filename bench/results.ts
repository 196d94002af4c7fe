/** Prints the tables of a run, and writes them to RESULTS.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const RESULTS = new URL("RESULTS.md", import.meta.url);

/** Heading of the part that is maintained by hand. */
const FINDINGS = "<!-- From here on this file is kept by hand: `npm run bench` preserves it. -->";

/** Table with a title; its first row has the names of the columns. */
export interface Section {
  readonly title: string;
  readonly text?: string;
  readonly table?: readonly (readonly string[])[];
}

/** Formats padded columns. */
export function plainTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Rewrites RESULTS.md except the part that is maintained by hand. */
export function writeResults(sections: readonly Section[]): void {
  const old = existsSync(RESULTS) ? readFileSync(RESULTS, "utf8") : "";
  const at = old.indexOf(FINDINGS);
  const kept = at < 0 ? `${FINDINGS}\n\n## Findings\n` : old.slice(at);
  const parts = sections.map(({ title, text, table }) =>
    [title, text, table && markdownTable(table)].filter((part) => part !== undefined).join("\n\n"),
  );
  writeFileSync(RESULTS, `${parts.join("\n\n")}\n\n${kept}`);
}

function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
