/** Texts that the page sets in the form's controls. */
import { byId } from "./dom.ts";

/** Text areas that were edited since the page last replaced them. */
const edited = new WeakSet<HTMLTextAreaElement>();

/** Notes which text areas of a form are edited. */
export function followEdits(form: HTMLElement): void {
  form.addEventListener("input", ({ target }) => {
    if (target instanceof HTMLTextAreaElement) edited.add(target);
  });
}

/** The layout of a text takes a tenth of a second from here on, and 4 s for half a million rows. */
const LONG_TEXT_CHARS = 100_000;

/**
 * Sets the text of a control. Replaces an edited text area by a copy, which has no undo history: Chromium keeps the
 * history of the old text, and undoes its edits at their offsets in the new one.
 */
export function setControlText(name: string, text: string): void {
  const control = byId(name) as HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
  control.classList.toggle("long", text.length > LONG_TEXT_CHARS);
  if (control instanceof HTMLTextAreaElement && edited.has(control)) replaceText(control, text);
  else control.value = text;
}

function replaceText(control: HTMLTextAreaElement, text: string): void {
  const copy = control.cloneNode() as HTMLTextAreaElement;
  const { scrollLeft, scrollTop, selectionStart, selectionEnd } = control;
  const isFocused = control === document.activeElement;
  control.replaceWith(copy);
  copy.value = text;
  if (isFocused) {
    copy.focus({ preventScroll: true });
    copy.setSelectionRange(selectionStart, selectionEnd);
  }
  copy.scrollTo(scrollLeft, scrollTop);
}
