/** Sentences of comments and of documents, and the habits that `prose.test.ts` counts in them. */
import type { Token, Tokens } from "marked";
import { marked } from "marked";
import { parseSync } from "rolldown/utils";

/** Sentence with the line on which its comment begins. */
export interface Sentence {
  readonly text: string;
  readonly line: number;
}

/** Verb that makes a clause of the words after a colon. Other words are a list or an example. */
const VERB = String.raw`\b(?:is|are|was|were|has|have|had|does|do|can|cannot|may|must|would|will|should|takes?|gives?|gets?|makes?|needs?|holds?|counts?|costs?|stays?|goes|comes|keeps?|reads?|writes?|ends?|begins?)\b`;

/** Habits that make prose hard to read, with patterns of sentences that have them. */
export const HABITS: Readonly<Record<string, RegExp>> = {
  '"what" or "who" as a noun':
    /(?:^|\b(?:of|by|from|for|with|to|in|than|and|or|is|as|at|on|behind|before|beside)\s)(?:what|who|whoever|whatever)\s|\b(?:says?|takes?|gives?|knows?|reads?|holds?|returns?|needs?|tells?|keeps?|prints?)\s(?:what|who|whoever|whatever)\s/i,
  '"one that", "those that" or "nobody"':
    /\b(?:one|ones|those|that|all|anything|something|everything|everybody|somebody)\s(?:that|which|who|whose)\b|\bnobody\b|\bsomebody\b|\beverybody\b/i,
  "clauses joined by a colon or semicolon": new RegExp(
    `;\\s|\\w\\)?:\\s(?=[^,.]*(?<!\\b(?:that|which|who)\\s)${VERB})`,
  ),
  "Where, What, Of or As at the beginning": /^(?:Where|What|Of|As)\s/,
};

/** Splits a text into sentences and replaces code and links by X. */
export function sentencesOf(text: string, line: number): Sentence[] {
  return text
    .replaceAll(/\{@link ([\w.]+)\}|`[^`]*`/g, "X")
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/\s+/g, " ")
    .split(/(?<=[.!?]\)?)\s+(?=[A-Z"(])/)
    .map((sentence) => ({ text: sentence.trim(), line }))
    .filter(({ text: sentence }) => /[a-z]{2}/.test(sentence));
}

/** Blanks AssemblyScript's decorators on functions because TypeScript's grammar has none, keeping every position. */
function withoutDecorators(source: string): string {
  return source.replaceAll(/^ *@\w+(?:\(.*\))?$/gm, (line) => " ".repeat(line.length));
}

/** Returns the sentences of all comments in a TypeScript or AssemblyScript source, without examples and directives. */
export function commentSentences(source: string): Sentence[] {
  const lineOf = (at: number): number => source.slice(0, at).split("\n").length;
  const found: Sentence[] = [];
  let last: { text: string; line: number; end: number } | undefined;
  const flush = (): void => {
    if (last !== undefined) found.push(...sentencesOf(last.text, last.line));
    last = undefined;
  };
  for (const { type, value, start, end } of parseSync("source.ts", withoutDecorators(source)).comments) {
    if (/^\s*(?:biome-|@ts-|\/ <)/.test(value)) continue;
    const joins = type === "Line" && last !== undefined && /^\n *$/.test(source.slice(last.end, start));
    if (!joins) flush();
    const text = value
      .replaceAll(/^\s*\*+ ?/gm, "")
      .replaceAll(/```[\s\S]*?```/g, "")
      .replaceAll(/^@(?:internal|param \w+)/gm, "");
    last = joins ? { ...last!, text: `${last!.text} ${text}`, end } : { text, line: lineOf(start), end };
    if (type === "Block") flush();
  }
  flush();
  return found;
}

/** Returns the sentences of a document's paragraphs, list items, headings and cells of tables, without code. The line is that of the block. */
export function documentSentences(source: string): Sentence[] {
  const found: Sentence[] = [];
  let line = 1;
  for (const token of marked.lexer(source)) {
    for (const text of textsOf(token)) found.push(...sentencesOf(text, line));
    line += token.raw.split("\n").length - 1;
  }
  return found;
}

/** Returns the texts of a block, each of which is sentences of its own. */
function textsOf(token: Token): string[] {
  switch (token.type) {
    case "table": {
      const { header, rows } = token as Tokens.Table;
      // A cell lists fragments with semicolons between them.
      return [header, ...rows].flat().flatMap(({ text }) => text.split(/;\s/));
    }
    case "list":
      return (token as Tokens.List).items.flatMap(({ tokens }) => tokens.flatMap(textsOf));
    case "paragraph":
    case "text":
    case "heading":
      return [(token as Tokens.Text).text];
    default:
      return [];
  }
}
