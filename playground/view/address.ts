/** The lesson in the page's address: opened at the start, written after each change, and copied as a link. */

import type { Lesson } from "../request/link.ts";
import { hashOf, LinkError, lessonOf } from "../request/link.ts";
import { copyText } from "./code-view.ts";
import { byId, setText } from "./dom.ts";
import { enableSkipLinks, isPartHash } from "./skip-links.ts";

/** Browsers limit how often a page changes its address. */
const LINK_PAUSE_MS = 300;

export interface AddressActions {
  /** Returns the lesson that is shown. */
  current(): Lesson;
  /** Opens a lesson. Throws a {@link LinkError} if it cannot be computed. */
  open(lesson: Lesson): void;
  /** Opens the first lesson, for an address without one. */
  openFirst(): void;
}

export interface Address {
  /** Writes the lesson into the address after a pause. */
  schedule(): void;
  /** Opens the lesson of the address. A damaged one opens the first lesson with a sentence. */
  read(): void;
}

export function enableAddress({ current, open, openFirst }: AddressActions): Address {
  let timer: number | undefined;
  /** Writes the lesson. Returns false if it is too long for a link. */
  const write = (): boolean => {
    window.clearTimeout(timer);
    const hash = hashOf(current());
    window.history.replaceState(null, "", hash ?? window.location.pathname);
    return hash !== undefined;
  };
  const copy = async (): Promise<void> => {
    if (!write()) setText("link-copied", "These numbers are too many for a link.");
    else if (await copyText(window.location.href)) setText("link-copied", "Copied.");
    else setText("link-copied", "Copy it from the address bar.");
  };
  const read = (): void => {
    setText("link-problem", "");
    try {
      const { hash } = window.location;
      const lesson = isPartHash(hash) ? undefined : lessonOf(hash);
      if (lesson === undefined) openFirst();
      else open(lesson);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      openFirst();
      const reason = error.message.replace(/\.$/, "");
      setText("link-problem", `This link is damaged, so here is the first example. (${reason}.)`);
    }
  };
  const schedule = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(write, LINK_PAUSE_MS);
  };
  byId("copy-link").addEventListener("click", () => void copy());
  window.addEventListener("hashchange", () => {
    if (isPartHash(window.location.hash)) schedule();
    else read();
  });
  enableSkipLinks();
  return { read, schedule };
}
