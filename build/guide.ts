/**
 * The pages of docs/, and the pages to which they lead, as HTML in the folder guide: the response of GET /guide/. `node build/guide.ts DIST`. docs/README.md is the index, and
 * its links, in their order and below their headings, are the list beside each page.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { argv } from "node:process";
import { marked } from "marked";
import MiniSearch from "minisearch";
import type { Entry } from "./guide/client/search-options.ts";
import { SEARCH_OPTIONS } from "./guide/client/search-options.ts";
import { render, toHtml } from "./guide/markdown.ts";
import { sectionsOf } from "./guide/sections.ts";

const ROOT = new URL("../", import.meta.url);
const INDEX = "docs/README.md";
/** Address of the server in the pages. Links to it lead to the server that shows the page. */
const SERVER = "http://127.0.0.1:8080";
/** Pages with a name of their own in the address. Links to other files outside docs/ work only in the repository. */
const NAMES: Readonly<Record<string, string>> = {
  [INDEX]: "",
  "PROMISES.md": "promises",
  "SECURITY.md": "security",
  "CHANGELOG.md": "changelog",
};

interface Source {
  readonly path: string;
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

interface Group {
  readonly heading: string;
  readonly sources: readonly Source[];
}

function readSource(path: string): Source {
  const text = readFileSync(new URL(path, ROOT), "utf8");
  return { path, name: nameOf(path), title: /^# (.*)$/m.exec(text)![1]!, text };
}

function nameOf(path: string): string {
  return NAMES[path] ?? posix.basename(path, ".md");
}

function isServed(path: string): boolean {
  return path in NAMES || /^docs\/[\w-]+\.md$/.test(path);
}

const index = readSource(INDEX);

/** The pages of the list, below the headings of the index. */
const groups: readonly Group[] = index.text
  .split(/^## /m)
  .slice(1)
  .map((part) => {
    const links = [...part.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) =>
      posix.join("docs", link!),
    );
    return { heading: part.split("\n")[0]!, sources: links.filter(isServed).map(readSource) };
  });
const sources = [index, ...groups.flatMap((group) => group.sources)];
const titles = new Map(sources.map(({ name, title }) => [name, title]));

/** The pictures of the pages, by their paths. */
const pictures = new Set<string>();

/** Returns the address of a link relative to the guide, undefined if it is not served. */
function addressOf(href: string, path: string): string | undefined {
  if (href.startsWith(SERVER)) return `..${href.slice(SERVER.length) || "/"}`;
  if (/^(?:https?:|#)/.test(href)) return href;
  const [file = "", anchor] = posix.join(posix.dirname(path), href).split("#");
  if (!isServed(file)) return undefined;
  return `${nameOf(file) || "./"}${anchor === undefined ? "" : `#${anchor}`}`;
}

const articleOf = ({ path, title, text }: Source): string =>
  render(text, title, {
    addressOf: (href) => addressOf(href, path),
    textOf: (inner) =>
      inner.replace(/^([\w-]+)\.md$/, (file, name) => titles.get(NAMES[file] ?? name) ?? file),
    pictureOf: (href) => {
      pictures.add(posix.join(posix.dirname(path), href));
      return posix.basename(href);
    },
  });

/** The pages before and behind a page in the list. */
function neighbours({ name }: Source): string {
  const at = sources.findIndex((source) => source.name === name);
  const link = (rel: string, word: string, source: Source | undefined): string =>
    source === undefined
      ? ""
      : `<a rel="${rel}" href="${source.name || "./"}">${word}: ${toHtml(source.title)}</a>`;
  return `<nav class="neighbours" aria-label="Neighbours">${link("prev", "Previous", sources[at - 1])}${link("next", "Next", sources[at + 1])}</nav>`;
}

/** The list of all pages, in which `current` is marked. */
function listOf(current: Source): string {
  const item = ({ name, title }: Source): string =>
    `<li><a href="${name || "./"}"${name === current.name ? ' aria-current="page"' : ""}>${toHtml(title)}</a></li>`;
  const listed = groups.map(({ heading, sources: members }) => {
    const id = `group-${heading.toLowerCase()}`;
    return `<p class="group" id="${id}">${toHtml(heading)}</p>\n<ul aria-labelledby="${id}">\n${members.map(item).join("\n")}\n</ul>`;
  });
  return [`<ul>\n${item(index)}\n</ul>`, ...listed].join("\n");
}

function pageOf(source: Source): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${toHtml(source.title)} - lossd</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="../playground/base.css">
<link rel="stylesheet" href="guide.css">
<link rel="stylesheet" href="code.css">
<link rel="stylesheet" href="search.css">
<script src="../playground/theme.js"></script>
<script type="module" src="guide.js"></script>
</head>
<body>
<a class="skip" href="#text">To the text</a>
<header>
<div class="brand"><strong>lossd</strong></div>
<form class="search" role="search" aria-label="Guide" hidden>
<input type="search" name="q" aria-label="Search the guide" placeholder="Search (Ctrl K)" aria-keyshortcuts="Control+K Meta+K" autocomplete="off" spellcheck="false">
<output></output>
<ol aria-label="Results" hidden></ol>
</form>
<nav aria-label="More">
<a href="../">Playground</a>
<a href="../docs/">Reference</a>
<a href="../openapi.json">openapi.json</a>
<label>Theme <select id="theme"><option value="">System</option><option value="light">Light</option><option value="dark">Dark</option></select></label>
</nav>
</header>
<div class="guide">
<nav class="pages" aria-label="Guide">
<details>
<summary>All pages</summary>
${listOf(source)}
</details>
</nav>
<main id="text" tabindex="-1">
${articleOf(source)}${neighbours(source)}
</main>
</div>
<p id="announcement" role="status"></p>
</body>
</html>
`;
}

/** The index of the search, with every section of every page. */
function searchIndex(): string {
  const sections = sources.flatMap(({ name, title, text }) =>
    sectionsOf(marked.lexer(text)).map(({ heading, anchor, text: words }) => ({
      address: `${name || "./"}${anchor === "" ? "" : `#${anchor}`}`,
      page: title,
      heading,
      text: words,
    })),
  );
  const search = new MiniSearch<Entry>(SEARCH_OPTIONS);
  search.addAll(sections.map((section, id) => ({ id, ...section })));
  return JSON.stringify(search);
}

const folder = join(argv[2]!, "guide");
mkdirSync(folder, { recursive: true });
for (const source of sources) writeFileSync(join(folder, `${source.name || "index"}.html`), pageOf(source));
writeFileSync(join(folder, "search.json"), searchIndex());
for (const style of ["guide.css", "code.css", "search.css"])
  copyFileSync(new URL(`guide/${style}`, import.meta.url), join(folder, style));
for (const path of pictures) copyFileSync(new URL(path, ROOT), join(folder, posix.basename(path)));
