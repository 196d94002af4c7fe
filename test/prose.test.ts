/** Holds the comments and the documents to the rule for prose, with each bad habit in at most 2 % of the sentences. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Sentence } from "./support/sentences.ts";
import { commentSentences, documentSentences, HABITS, sentencesOf } from "./support/sentences.ts";

const ROOT = resolve(import.meta.dirname, "..");
const SRC = join(ROOT, "src");
const MAX_SHARE = 0.02;
/** Sentences allowed in a small folder, because one of fifty is 2 % already. */
const MIN_ALLOWED = 1;

/** Folders of src that keep the rule. `*.ts` stands for the files beside them. */
const KEPT = [
  "*.ts",
  "../playground",
  "cli",
  "http",
  "kernel",
  "library",
  "loss",
  "server",
  "tensor",
  "wire",
];

function filesOf(kept: string): string[] {
  const names =
    kept === "*.ts"
      ? readdirSync(SRC).filter((name) => name.endsWith(".ts"))
      : readdirSync(join(SRC, kept), { recursive: true, encoding: "utf8" })
          .filter((name) => name.endsWith(".ts"))
          .map((name) => join(kept, name));
  return names.map((name) => join(SRC, name));
}

interface Place extends Sentence {
  readonly file: string;
}

const placesOf = (file: string): Place[] =>
  commentSentences(readFileSync(file, "utf8")).map((sentence) => ({
    ...sentence,
    file: relative(ROOT, file),
  }));

describe.each(KEPT)("comments of src/%s", (kept) => {
  const places = filesOf(kept).flatMap(placesOf);

  it("are found", () => {
    expect(places.length).toBeGreaterThan(20);
  });

  it.each(Object.keys(HABITS))("have %s in at most 2 percent of the sentences", (habit) => {
    expectRare(habit, places);
  });
});

/** Documents that keep the rule. */
const DOCUMENTS = [
  "README.md",
  "SECURITY.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

describe.each(DOCUMENTS)("the sentences of %s", (file) => {
  const places = documentSentences(readFileSync(join(ROOT, file), "utf8")).map((sentence) => ({
    ...sentence,
    file,
  }));

  it.each(Object.keys(HABITS))("have %s in at most 2 percent", (habit) => {
    expect(places.length).toBeGreaterThan(10);
    expectRare(habit, places);
  });
});

function expectRare(habit: string, places: readonly Place[]): void {
  const found = places.filter(({ text }) => HABITS[habit]!.test(text));
  const allowed = Math.max(MIN_ALLOWED, Math.floor(places.length * MAX_SHARE));
  const worst = found.map(({ file, line, text }) => `${file}:${line} ${text}`);
  expect(found.length > allowed ? worst : []).toEqual([]);
}

describe("the count of habits", () => {
  const habitsIn = (text: string): string[] =>
    sentencesOf(text, 1).flatMap(({ text: sentence }) =>
      Object.keys(HABITS).filter((habit) => HABITS[habit]!.test(sentence)),
    );
  const [noun, relativeClause, joined, beginning] = Object.keys(HABITS);

  it.each([
    ["Latest metrics, which is what each process said last.", [noun]],
    ["Hides it from whoever reads the log.", [noun]],
    ["Closes connections that nobody reads.", [relativeClause]],
    ["Keeps the largest of those that fit.", [relativeClause]],
    ["Reserves everything at once; smaller requests wait.", [joined]],
    ["Yields between pages: a fast reader would starve the others.", [joined]],
    ["What each process counted.", [noun, beginning]],
    ["As in PyTorch, the mean is NaN.", [beginning]],
    ["Where the target is ignored, the loss is 0.", [beginning]],
    ["Yields between pages because a fast reader would starve other requests.", []],
    ["Checks rank, dtype and shape: 1-D, float32, (N, C).", []],
    ["Rejects a request with an unknown field.", []],
  ])("finds in %j: %j", (text, habits) => {
    expect(habitsIn(text)).toEqual(habits);
  });

  it("reads line comments that follow each other as one text, and no code, examples or directives", () => {
    const source = [
      "// The first half",
      "// of a sentence. Another; joined.",
      'const text = "// what a string says";',
      "/**",
      " * Adds `a; b` as {@link add} does.",
      " * ```ts",
      " * add(1); // Where",
      " * ```",
      " */",
      "// biome-ignore lint: what it says",
      "@inline",
      "function f(): void {} // Trailing text.",
    ].join("\n");
    expect(commentSentences(source)).toEqual([
      { text: "The first half of a sentence.", line: 1 },
      { text: "Another; joined.", line: 1 },
      { text: "Adds X as X does.", line: 4 },
      { text: "Trailing text.", line: 12 },
    ]);
  });

  it("reads paragraphs, headings, items and the fragments of cells of a document, and no code", () => {
    const source = [
      "# A title",
      "",
      "A paragraph with `code; x`. Another",
      "of two lines.",
      "",
      "- an item; joined",
      "",
      "```sh",
      "echo what; echo who",
      "```",
      "",
      "| head | more |",
      "|---|---|",
      "| a cell; of two | [a link](x.md) |",
    ].join("\n");
    expect(documentSentences(source)).toEqual([
      { text: "A title", line: 1 },
      { text: "A paragraph with X.", line: 3 },
      { text: "Another of two lines.", line: 3 },
      { text: "an item; joined", line: 6 },
      { text: "head", line: 12 },
      { text: "more", line: 12 },
      { text: "a cell", line: 12 },
      { text: "of two", line: 12 },
      { text: "a link", line: 12 },
    ]);
  });
});
