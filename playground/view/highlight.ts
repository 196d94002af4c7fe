/** Lights the row of a cell and the cells that it comes from, and shows its formula beside it. */

import type { CellRef, Step } from "../steps/step.ts";
import { keyOf, lineageOf, rowOf } from "../steps/step.ts";
import { announce, byId, setText } from "./dom.ts";
import { CELL_SELECTOR, cellOf } from "./heat-map.ts";

/** Distance of the formula from its table and from the window's edges. */
const GAP_PIXELS = 6;

/** Follows the pointer and the focus in the steps. A pointed cell goes before the focused one. */
export class Highlight {
  readonly #steps: HTMLElement;
  readonly #formula = byId("explanation");
  #drawn: readonly Step[] = [];
  #cells: ReadonlyMap<string, HTMLElement> = new Map();
  #pointed: HTMLElement | undefined;
  #focused: HTMLElement | undefined;

  constructor(steps: HTMLElement, focused: (cell: CellRef) => void) {
    this.#steps = steps;
    steps.addEventListener("pointerover", ({ target }) => {
      const element = elementAt(target);
      if (element === undefined || element === this.#pointed) return;
      this.#pointed = element;
      this.#show();
    });
    steps.addEventListener("focusin", ({ target }) => {
      this.#focused = elementAt(target);
      this.#show();
      if (this.#focused === undefined) return;
      announce(sentenceOf(this.#drawn, this.#focused), 0);
      const cell = cellOf(this.#focused);
      if (cell !== undefined) focused(cell);
    });
    this.#followLeaving();
    // Scrolling must keep a focused element above a bar at the window's bottom (WCAG 2.2, 2.4.11), so CSS needs its height.
    new ResizeObserver(([entry]) => {
      const height = entry?.borderBoxSize[0]?.blockSize ?? 0;
      document.documentElement.style.setProperty("--bar", `${height}px`);
    }).observe(this.#formula);
  }

  /** Lights the cells of a new drawing. */
  redraw(steps: readonly Step[]): void {
    this.#drawn = steps;
    const cells = [...this.#steps.querySelectorAll<HTMLElement>("[data-cell]")];
    this.#cells = new Map(cells.map((one) => [one.dataset.cell!, one]));
    this.#show();
  }

  /** Keeps the formula while the pointer or the focus is on it, so that it can be copied. Escape removes it. */
  #followLeaving(): void {
    const parts = [this.#steps, this.#formula];
    const isInside = (target: EventTarget | null): boolean =>
      target instanceof Node && parts.some((part) => part.contains(target));
    for (const part of parts) {
      part.addEventListener("pointerleave", ({ relatedTarget }) => {
        if (isInside(relatedTarget)) return;
        this.#pointed = undefined;
        this.#show();
      });
      part.addEventListener("focusout", ({ relatedTarget }) => {
        if (isInside(relatedTarget)) return;
        this.#focused = undefined;
        this.#show();
      });
    }
    document.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape") return;
      [this.#pointed, this.#focused] = [undefined, undefined];
      this.#show();
    });
  }

  #show(): void {
    const element = [this.#pointed, this.#focused].find((one) => one?.isConnected);
    this.#light(element === undefined ? undefined : cellOf(element));
    setText("explanation", element === undefined ? "" : sentenceOf(this.#drawn, element));
    if (element !== undefined) placeBeside(this.#formula, element);
  }

  /** Marks the cells of one row, and of these the cells that `cell` comes from. */
  #light(cell: CellRef | undefined): void {
    for (const lit of this.#steps.querySelectorAll(".lit, .source")) lit.classList.remove("lit", "source");
    this.#steps.classList.toggle("lighting", cell !== undefined);
    if (cell === undefined) return;
    const mark = (one: CellRef, name: string): void => this.#cells.get(keyOf(one))?.classList.add(name);
    for (const one of rowOf(this.#drawn, cell)) mark(one, "lit");
    for (const one of lineageOf(this.#drawn, cell)) mark(one, "source");
  }
}

function elementAt(target: EventTarget | null): HTMLElement | undefined {
  return (target as Element | null)?.closest<HTMLElement>(CELL_SELECTOR) ?? undefined;
}

function sentenceOf(steps: readonly Step[], element: HTMLElement): string {
  const cell = cellOf(element);
  if (cell === undefined) return `These add up to ${element.textContent}.`;
  return steps.find(({ id }) => id === cell.step)?.explain(cell.at) ?? "";
}

/** Places the formula above the table of a cell, where it covers the words about the step and no cell. */
function placeBeside(formula: HTMLElement, element: HTMLElement): void {
  const cell = element.getBoundingClientRect();
  const table = (element.closest("table") ?? element).getBoundingClientRect();
  const { width, height } = formula.getBoundingClientRect();
  const left = Math.max(
    GAP_PIXELS,
    Math.min(table.left, document.documentElement.clientWidth - width - GAP_PIXELS),
  );
  const above = Math.max(GAP_PIXELS, table.top - height);
  const top = above + height > cell.top ? cell.bottom + GAP_PIXELS : above;
  formula.style.setProperty("--left", `${left + window.scrollX}px`);
  formula.style.setProperty("--top", `${top + window.scrollY}px`);
}
