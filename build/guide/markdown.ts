/** Markdown becomes the HTML of a page: headings with links to themselves, highlighted code, wide content that scrolls by itself. */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import nginx from "highlight.js/lib/languages/nginx";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import type { Tokens } from "marked";
import { Marked, Renderer } from "marked";
import { anchorOf } from "./sections.ts";

/** Grammars by the names after ```. Other blocks, such as hex, have no colors. */
const LANGUAGES = { bash, go, java, json, kotlin, nginx, python, rust, sh: bash, ts: typescript, xml };
for (const [name, grammar] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, grammar);

/** Answers where links and pictures of a page lead. */
export interface Links {
  /** Returns the address of a link, undefined for a file that is not served. */
  addressOf(href: string): string | undefined;
  /** Returns the text of a link that names a file, such as the title of its page. */
  textOf(inner: string): string;
  /** Returns the address of a picture. */
  pictureOf(href: string): string;
}

export const toHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** Renders a page. `title` replaces its own first heading. */
export function render(text: string, title: string, links: Links): string {
  let under = title;
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text: plain }: Tokens.Heading) {
        if (depth === 1) return `<h1 id="${anchorOf(plain)}">${toHtml(title)}</h1>\n`;
        under = plain.replaceAll("`", "");
        const inner = this.parser.parseInline(tokens);
        const anchor = anchorOf(plain);
        return `<h${depth} id="${anchor}"><a href="#${anchor}">${inner}</a></h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        const inner = links.textOf(this.parser.parseInline(tokens));
        const address = links.addressOf(href);
        return address === undefined ? inner : `<a href="${toHtml(address)}">${inner}</a>`;
      },
      image({ href, text: alt }: Tokens.Image) {
        return `<img src="${toHtml(links.pictureOf(href))}" alt="${toHtml(alt)}">`;
      },
      code({ text: code, lang = "" }: Tokens.Code) {
        const html = lang in LANGUAGES ? hljs.highlight(code, { language: lang }).value : toHtml(code);
        return `<div class="code"><pre ${scroller("Code", under)}><code>${html}</code></pre></div>\n`;
      },
      table(token: Tokens.Table) {
        // Below an empty corner are the names of the rows.
        if (token.header[0]!.text === "") for (const [name] of token.rows) name!.header = true;
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
