/** What is read out of the page, in a line that is seen by nobody. */
import { setText } from "./dom.ts";

/** Milliseconds after which a result is read out, and for which the line is empty before a sentence. */
const [QUIET, EMPTY] = [700, 50];

let waiting: number | undefined;

/** Has a sentence read out, once nothing else has been said for a while. */
export function say(sentence: string, after = QUIET): void {
  hush();
  waiting = window.setTimeout(() => {
    // The sentence that stands there would not be read out once more.
    setText("spoken", "");
    waiting = window.setTimeout(() => setText("spoken", sentence), EMPTY);
  }, after);
}

/** Takes back what is not said yet. */
export function hush(): void {
  window.clearTimeout(waiting);
}
