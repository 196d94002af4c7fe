/** The bar at the bottom of the window: what a cell's number comes from. */
import { byId, setText } from "./dom.ts";
import { say } from "./say.ts";
import type { Listener } from "./table.ts";

/** Milliseconds for which a pointer rests before a cell is explained. */
const REST = 50;

let resting: number | undefined;
/** The sentence of the cell that has the focus; empty where none has. */
let held = "";

function show(sentence: string): void {
  window.clearTimeout(resting);
  setText("explanation", sentence);
}

/** Explains cells: in the bar, and for those who hear the page. */
export const explanation = {
  focused(sentence: string): void {
    held = sentence;
    show(sentence);
    say(sentence, 0);
  },
  pointed(sentence: string): void {
    window.clearTimeout(resting);
    resting = window.setTimeout(() => show(sentence), REST);
  },
  clear(): void {
    held = "";
    show("");
  },
} satisfies Listener & { clear(): void };

/** Keeps the bar while the pointer or the focus is at the steps or at the bar itself, where it is read and copied. */
export function watchBar(): void {
  const [steps, bar] = [byId("steps"), byId("explanation")];
  const isInside = (target: EventTarget | null): boolean =>
    target instanceof Node && (steps.contains(target) || bar.contains(target));
  for (const part of [steps, bar]) {
    part.addEventListener("pointerleave", ({ relatedTarget }) => {
      window.clearTimeout(resting);
      if (!isInside(relatedTarget)) show(held);
    });
    part.addEventListener("focusout", ({ relatedTarget }) => {
      if (!isInside(relatedTarget)) explanation.clear();
    });
  }
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") explanation.clear();
  });
  // What stands at the bottom of the window covers nothing that has the focus.
  new ResizeObserver(([entry]) => {
    const height = entry?.borderBoxSize[0]?.blockSize ?? 0;
    document.documentElement.style.setProperty("--bar", `${height}px`);
  }).observe(bar);
}
