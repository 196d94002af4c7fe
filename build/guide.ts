/**
 * The pages of docs/, and the pages that they lead to, as HTML in the folder guide: what GET /guide/ answers with. `node build/guide.ts DIST`. docs/README.md is the index, and
 * its links, in their order, are the list beside each page.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { argv } from "node:process";
import type { Tokens } from "marked";
import { Marked, Renderer } from "marked";

const ROOT = new URL("../", import.meta.url);
const INDEX = "docs/README.md";
/** Address of the server in the pages. Links to it lead to the server that shows the page. */
const SERVER = "http://127.0.0.1:8080";
/** Pages outside docs/, each with its name in the address. Links to other files work only in the repository. */
const NAMES: Readonly<Record<string, string>> = {
  [INDEX]: "",
  "PROMISES.md": "promises",
  "SECURITY.md": "security",
  "CHANGELOG.md": "changelog",
};
/** Titles of pages whose own says too little beside others. */
const TITLES: Readonly<Record<string, string>> = {
  [INDEX]: "All pages",
};

interface Source {
  readonly path: string;
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

function readSource(path: string): Source {
  const text = readFileSync(new URL(path, ROOT), "utf8");
  return { path, name: nameOf(path), title: TITLES[path] ?? /^# (.*)$/m.exec(text)![1]!, text };
}

function nameOf(path: string): string {
  return NAMES[path] ?? posix.basename(path, ".md");
}

const index = readSource(INDEX);
const linked = [...index.text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) =>
  posix.join("docs", link!),
);
const sources = [index, ...[...new Set(linked)].filter((path) => isServed(path)).map(readSource)];

/** The pictures of the pages, by their paths. */
const pictures = new Set<string>();
const titles = new Map(sources.map(({ name, title }) => [name, title]));

function isServed(path: string): boolean {
  return path in NAMES || /^docs\/[\w-]+\.md$/.test(path);
}

const toHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** A heading's anchor, as the repository's hosts make it. */
const anchorOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .trim()
    .replaceAll(/\s/g, "-");

/** Returns the address of a link relative to the guide, undefined if it is not served. */
function addressOf(href: string, path: string): string | undefined {
  if (href.startsWith(SERVER)) return `..${href.slice(SERVER.length) || "/"}`;
  if (/^(?:https?:|#)/.test(href)) return href;
  const [file = "", anchor] = posix.join(posix.dirname(path), href).split("#");
  if (!isServed(file)) return undefined;
  return `${nameOf(file) || "./"}${anchor === undefined ? "" : `#${anchor}`}`;
}

function render({ path, text }: Source): string {
  let under = "";
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text: plain }: Tokens.Heading) {
        const own = depth === 1 ? TITLES[path] : undefined;
        under = own ?? plain.replaceAll("`", "");
        const inner = own === undefined ? this.parser.parseInline(tokens) : toHtml(own);
        return `<h${depth} id="${anchorOf(plain)}">${inner}</h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        const inner = this.parser
          .parseInline(tokens)
          .replace(/^([\w-]+)\.md$/, (file, name) => titles.get(name) ?? file);
        const address = addressOf(href, path);
        return address === undefined ? inner : `<a href="${toHtml(address)}">${inner}</a>`;
      },
      image({ href, text: alt }: Tokens.Image) {
        pictures.add(posix.join(posix.dirname(path), href));
        return `<img src="${toHtml(posix.basename(href))}" alt="${toHtml(alt)}">`;
      },
      code({ text: code }: Tokens.Code) {
        return `<pre ${scroller("Code", under)}><code>${toHtml(code)}</code></pre>\n`;
      },
      table(token: Tokens.Table) {
        const table = Renderer.prototype.table.call(this, token);
        return `<div class="wide" ${scroller("Table", under)}>\n${table}</div>\n`;
      },
    },
  });
  return (marked.parse(text, { async: false }) as string).replaceAll("<th></th>", "<td></td>");
}

/** Makes wide content scroll by itself, also by keyboard. It is a group and not a region because regions are landmarks. */
function scroller(kind: string, heading: string): string {
  return `tabindex="0" role="group" aria-label="${kind}: ${toHtml(heading)}"`;
}

/** The pages before and behind a page in the list. */
function neighbours({ name }: Source): string {
  const at = sources.findIndex((source) => source.name === name);
  const link = (rel: string, word: string, source: Source | undefined): string =>
    source === undefined
      ? ""
      : `<a rel="${rel}" href="${source.name || "./"}">${word}: ${toHtml(source.title)}</a>`;
  return `<nav class="neighbours" aria-label="Neighbours">${link("prev", "Previous", sources[at - 1])}${link("next", "Next", sources[at + 1])}</nav>`;
}

function pageOf(source: Source): string {
  const items = sources.map(({ name, title }) => {
    const current = name === source.name ? ' aria-current="page"' : "";
    return `<li><a href="${name || "./"}"${current}>${toHtml(title)}</a></li>`;
  });
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
<script src="../playground/theme.js"></script>
</head>
<body>
<a class="skip" href="#text">To the text</a>
<header>
<div class="brand"><strong>lossd</strong></div>
<nav aria-label="More"><a href="../">Playground</a><a href="../docs/">Reference</a><a href="../openapi.json">openapi.json</a></nav>
</header>
<div class="guide">
<nav class="pages" aria-label="Guide">
<details>
<summary>All pages</summary>
<ul>
${items.join("\n")}
</ul>
</details>
</nav>
<main id="text" tabindex="-1">
${render(source)}${neighbours(source)}
</main>
</div>
</body>
</html>
`;
}

const folder = join(argv[2]!, "guide");
mkdirSync(folder, { recursive: true });
for (const source of sources) {
  writeFileSync(join(folder, `${source.name || "index"}.html`), pageOf(source));
}
copyFileSync(new URL("guide.css", import.meta.url), join(folder, "guide.css"));
for (const path of pictures) copyFileSync(new URL(path, ROOT), join(folder, posix.basename(path)));
