/** The lesson in the page's address: opened at the start, written after each change, and copied as a link. */

import type { Lesson } from "../request/link.ts";
import { hashOf, LinkError, lessonOf } from "../request/link.ts";
import { copyText } from "./code-view.ts";
import { byId, setText } from "./dom.ts";
import type { Texts } from "./form.ts";
import { hasHiddenTexts, readTexts } from "./form.ts";
import { keepTexts, keptTexts } from "./kept-texts.ts";
import { enableSkipLinks, isPartHash } from "./skip-links.ts";

/** Browsers limit how often a page changes its address. */
const LINK_PAUSE_MS = 300;

export interface AddressActions {
  /** Returns the lesson that is shown, undefined while it is not that of the form. */
  current(): Lesson | undefined;
  /** Opens a lesson. Throws a {@link LinkError} if it cannot be computed. */
  open(lesson: Lesson): void;
  /** Opens the first lesson, for an address without one. */
  openFirst(): void;
  /** Fills the form with the texts that it had before the page was loaded again. */
  restore(texts: Texts): void;
}

/** Follows the address and the button that copies it. */
export class Address {
  readonly #actions: AddressActions;
  #timer: number | undefined;

  constructor(actions: AddressActions) {
    this.#actions = actions;
    byId("copy-link").addEventListener("click", () => void this.#copy());
    window.addEventListener("hashchange", () => {
      if (isPartHash(window.location.hash)) this.schedule();
      else this.#read();
    });
    // Texts that were typed within the pause are kept, too. The address cannot change any more.
    window.addEventListener("pagehide", () => {
      if (this.#timer !== undefined) keepTexts(isOwn(actions.current()) ? readTexts() : undefined);
    });
    enableSkipLinks();
  }

  /** Opens the lesson of the address, and restores what the address does not hold. */
  start(): void {
    const texts = keptTexts();
    this.#read();
    if (texts !== undefined) this.#actions.restore(texts);
  }

  /** Writes the lesson into the address after a pause. */
  schedule(): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.write(), LINK_PAUSE_MS);
  }

  /** Writes the lesson, and keeps the texts that it does not have. Returns why there is no link, empty if there is one. */
  write(): string {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    const lesson = this.#actions.current();
    const hash = lesson === undefined ? undefined : hashOf(lesson);
    if (lesson !== undefined) window.history.replaceState(null, "", hash ?? window.location.pathname);
    keepTexts(hash === undefined || (isOwn(lesson) && hasHiddenTexts()) ? readTexts() : undefined);
    if (lesson === undefined) return "The link would be of the last results: correct the numbers first.";
    return hash === undefined ? "These numbers are too many for a link." : "";
  }

  async #copy(): Promise<void> {
    const problem = this.write();
    if (problem !== "") setText("link-copied", problem);
    else if (await copyText(window.location.href)) setText("link-copied", "Copied.");
    else setText("link-copied", "Copy it from the address bar.");
  }

  /** Opens the lesson of the address. A damaged one opens the first lesson with a sentence. */
  #read(): void {
    setText("link-problem", "");
    try {
      const { hash } = window.location;
      const lesson = isPartHash(hash) ? undefined : lessonOf(hash);
      if (lesson === undefined) this.#actions.openFirst();
      else this.#actions.open(lesson);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.#actions.openFirst();
      const reason = error.message.replace(/\.$/, "");
      setText("link-problem", `This link is damaged, so here is the first example. (${reason}.)`);
    }
  }
}

/** Returns true for texts of the user, and false for an example as it is. */
function isOwn(lesson: Lesson | undefined): boolean {
  return lesson === undefined || lesson.request !== undefined;
}
