/** Formats the matrix of generators for docs/sdk.md. */

export interface Row {
  readonly generator: string;
  readonly version: string;
  readonly document: "3.1" | "3.0";
  readonly settings: string;
  readonly generates: string;
  readonly compiles: string;
  readonly loss: string;
  readonly nan: string;
}

const HEADINGS = ["generator", "document", "settings", "generates", "compiles", "reads a loss", "NaN"];

/** Formats the rows as a Markdown table. */
export function toTable(rows: readonly Row[]): string {
  const cells = rows.map(({ generator, version, document, settings, generates, compiles, loss, nan }) => [
    `${generator} ${version}`,
    document,
    settings,
    generates,
    compiles,
    loss,
    nan,
  ]);
  const line = (parts: readonly string[]) => `| ${parts.join(" | ")} |\n`;
  return `${line(HEADINGS)}|${"---|".repeat(HEADINGS.length)}\n${cells.map(line).join("")}`;
}
