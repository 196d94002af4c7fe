/** The search over all pages of the guide. The index is loaded when it is first needed. */
import MiniSearch from "minisearch";
import type { Entry } from "./search-options.ts";
import { SEARCH_OPTIONS } from "./search-options.ts";

const MAX_RESULTS = 12;
/** Characters of a result's text, with the first match among them. */
const EXCERPT_CHARS = 150;
const EXCERPT_LEAD_CHARS = 40;

let index: Promise<MiniSearch<Entry>> | undefined;

/** Loads the index once, or again after a failure. */
function loadIndex(): Promise<MiniSearch<Entry>> {
  index ??= fetchIndex().catch((error: unknown) => {
    index = undefined;
    throw error;
  });
  return index;
}

async function fetchIndex(): Promise<MiniSearch<Entry>> {
  const response = await fetch("search.json");
  if (!response.ok) throw new Error(`search.json has status ${response.status}`);
  return MiniSearch.loadJSON<Entry>(await response.text(), SEARCH_OPTIONS);
}

/** Connects the field and the list of results. Control and K (or Command and K) move to the field, the arrows through the results. */
export function connectSearch(): void {
  const form = document.querySelector<HTMLFormElement>(".search")!;
  const field = form.querySelector("input")!;
  const status = form.querySelector("output")!;
  const list = form.querySelector("ol")!;
  form.hidden = false;

  const show = async (): Promise<void> => {
    const query = field.value.trim();
    const loaded = query === "" ? undefined : await loadIndex().catch(() => undefined);
    // The field may have changed while the index was loaded.
    if (query !== field.value.trim()) return;
    const results = loaded?.search(query).slice(0, MAX_RESULTS) ?? [];
    list.replaceChildren(
      ...results.map((result) => itemOf(result as unknown as Entry, Object.keys(result.match))),
    );
    showListFor(document.activeElement);
    status.textContent =
      query === "" ? "" : loaded === undefined ? "The search cannot be loaded." : countText(results.length);
  };
  /** Shows the results while `place`, the focus or the pointer, is in the search, because they cover what is below. */
  const showListFor = (place: EventTarget | null): void => {
    list.hidden = list.childElementCount === 0 || !form.contains(place as Node | null);
  };
  const close = (): void => {
    field.value = "";
    void show();
  };

  field.addEventListener("focus", () => void loadIndex().catch(() => undefined));
  field.addEventListener("input", () => void show());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.click();
  });
  form.addEventListener("keydown", (event) => {
    // An input method has the keys while it composes a word.
    if (event.isComposing) return;
    if (event.key === "Escape") {
      field.focus();
      close();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const stops = [field, ...list.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement as HTMLInputElement);
    stops[(at + step + stops.length) % stops.length]!.focus();
  });
  list.addEventListener("click", close);
  for (const event of ["focusin", "pointerdown"])
    document.addEventListener(event, ({ target }) => showListFor(target));
  document.addEventListener("keydown", (event) => {
    // A key alone would act on dictated words (WCAG 2.1.4), and "/" is Firefox's own search.
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (key !== "k" || ctrlKey === metaKey || altKey || shiftKey) return;
    event.preventDefault();
    field.focus();
  });
}

function countText(count: number): string {
  if (count === 0) return "No results";
  return count === 1 ? "1 result" : `${count} results`;
}

function itemOf({ address, page, heading, text }: Entry, terms: readonly string[]): HTMLLIElement {
  const link = document.createElement("a");
  link.href = address;
  const title = document.createElement("strong");
  title.textContent = heading === page ? page : `${page}: ${heading}`;
  const excerpt = document.createElement("span");
  excerpt.append(...markedExcerpt(text, terms));
  link.append(title, excerpt);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

/** Escapes the symbols that terms may have, such as +. */
function escapeTerm(term: string): string {
  return term.replaceAll(/[^\p{L}\p{N}]/gu, "\\$&");
}

/** Returns a part of the text around the first match, with the matches marked. */
function markedExcerpt(text: string, terms: readonly string[]): (string | HTMLElement)[] {
  const pattern = new RegExp(`(${terms.map(escapeTerm).join("|")})`, "gi");
  const found = text.search(pattern);
  const begin = Math.max(0, text.lastIndexOf(" ", found - EXCERPT_LEAD_CHARS));
  const excerpt = text.slice(begin, begin + EXCERPT_CHARS).trim();
  const pieces = excerpt.split(pattern).map((piece, at) => {
    if (at % 2 === 0) return piece;
    const mark = document.createElement("mark");
    mark.textContent = piece;
    return mark;
  });
  return [...pieces, begin + EXCERPT_CHARS < text.length ? " …" : ""];
}
