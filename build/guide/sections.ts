/** Sections of a page for the search, one for each heading, with the words below it. */
import type { Token, Tokens } from "marked";

export interface Section {
  readonly heading: string;
  /** Anchor of the heading. Empty for the title of the page. */
  readonly anchor: string;
  readonly text: string;
}

/** Languages of blocks that hold output or bytes, in which readers do not search for words. */
const NOT_SEARCHED = new Set(["hex", "json", "text", "bash"]);

/** Returns a heading's anchor, as the repository's hosts make it. */
export function anchorOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

/** Divides the tokens of a page. The first heading is its title. */
export function sectionsOf(tokens: readonly Token[]): Section[] {
  const sections: { heading: string; anchor: string; parts: string[] }[] = [];
  for (const token of tokens) {
    if (token.type === "heading") {
      const anchor = sections.length === 0 ? "" : anchorOf((token as Tokens.Heading).text);
      sections.push({ heading: wordsOf(token), anchor, parts: [] });
    } else sections.at(-1)?.parts.push(wordsOf(token));
  }
  return sections.map(({ parts, ...section }) => ({
    ...section,
    text: parts.filter((part) => part !== "").join(" "),
  }));
}

/** Returns the words of a token without its marks, of a table without its head. */
function wordsOf(token: Token): string {
  if (token.type === "code" && NOT_SEARCHED.has(token.lang ?? "")) return "";
  if (token.type === "html" || token.type === "space") return "";
  if (token.type === "table") {
    const { rows } = token as Tokens.Table;
    return rows.map((row) => row.map(({ tokens }) => join(tokens)).join(" ")).join(" ");
  }
  if (token.type === "list") return (token as Tokens.List).items.map(wordsOf).join(" ");
  return "tokens" in token && token.tokens !== undefined
    ? join(token.tokens)
    : ((token as Tokens.Text).text ?? "");
}

const join = (tokens: readonly Token[]): string => tokens.map(wordsOf).join("").trim();
