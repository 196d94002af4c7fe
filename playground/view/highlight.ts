/** Lights the row of a cell and the cells that it comes from, and shows its formula beside it. */

import type { CellRef, Step } from "../steps/step.ts";
import { keyOf, lineageOf } from "../steps/step.ts";
import { announce, byId, setText } from "./dom.ts";
import { CELL_SELECTOR, cellOf } from "./heat-map.ts";

/** Distance of the formula from its table and from the window's edges. */
const GAP_PIXELS = 6;

export interface Highlight {
  /** Lights the cells of a new drawing. */
  redraw(steps: readonly Step[]): void;
}

/** Follows the pointer and the focus in `steps`. A pointed cell goes before the focused one. */
export function enableHighlight(steps: HTMLElement, focused: (cell: CellRef) => void): Highlight {
  const formula = byId("explanation");
  let drawn: readonly Step[] = [];
  let cells = new Map<string, HTMLElement>();
  let pointedElement: HTMLElement | undefined;
  let focusedElement: HTMLElement | undefined;
  const elementAt = (target: EventTarget | null): HTMLElement | undefined =>
    (target as Element | null)?.closest<HTMLElement>(CELL_SELECTOR) ?? undefined;
  const isInside = (target: EventTarget | null): boolean =>
    target instanceof Node && (steps.contains(target) || formula.contains(target));

  const show = (): void => {
    const element = [pointedElement, focusedElement].find((one) => one?.isConnected);
    light(steps, cells, drawn, element === undefined ? undefined : cellOf(element));
    setText("explanation", element === undefined ? "" : sentenceOf(drawn, element));
    if (element !== undefined) placeBeside(formula, element);
  };

  steps.addEventListener("pointerover", ({ target }) => {
    const element = elementAt(target);
    if (element === undefined || element === pointedElement) return;
    pointedElement = element;
    show();
  });
  steps.addEventListener("focusin", ({ target }) => {
    focusedElement = elementAt(target);
    show();
    if (focusedElement === undefined) return;
    announce(sentenceOf(drawn, focusedElement), 0);
    const cell = cellOf(focusedElement);
    if (cell !== undefined) focused(cell);
  });
  // The formula stays while the pointer or the focus is on it, so that it can be copied.
  for (const part of [steps, formula]) {
    part.addEventListener("pointerleave", ({ relatedTarget }) => {
      if (isInside(relatedTarget)) return;
      pointedElement = undefined;
      show();
    });
    part.addEventListener("focusout", ({ relatedTarget }) => {
      if (isInside(relatedTarget)) return;
      focusedElement = undefined;
      show();
    });
  }
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    [pointedElement, focusedElement] = [undefined, undefined];
    show();
  });
  // Scrolling must keep a focused element above a bar at the window's bottom (WCAG 2.2, 2.4.11), so CSS needs its height.
  new ResizeObserver(([entry]) => {
    const height = entry?.borderBoxSize[0]?.blockSize ?? 0;
    document.documentElement.style.setProperty("--bar", `${height}px`);
  }).observe(formula);

  return {
    redraw(next) {
      drawn = next;
      cells = new Map(
        [...steps.querySelectorAll<HTMLElement>("[data-cell]")].map((one) => [one.dataset.cell!, one]),
      );
      show();
    },
  };
}

function sentenceOf(steps: readonly Step[], element: HTMLElement): string {
  const cell = cellOf(element);
  if (cell === undefined) return `These add up to ${element.textContent}.`;
  return steps.find(({ id }) => id === cell.step)?.explain(cell.at) ?? "";
}

/** Marks the cells of one row, and of these the cells that `cell` comes from. */
function light(
  container: HTMLElement,
  elements: ReadonlyMap<string, HTMLElement>,
  steps: readonly Step[],
  cell: CellRef | undefined,
): void {
  for (const lit of container.querySelectorAll(".lit, .source")) lit.classList.remove("lit", "source");
  container.classList.toggle("lighting", cell !== undefined);
  if (cell === undefined) return;
  const position = steps
    .find(({ id }) => id === cell.step)
    ?.positionOf?.(cell.at)
    .join();
  for (const { id, positionOf, slices } of steps) {
    if (position === undefined || positionOf === undefined) continue;
    for (const { at } of slices.slices.flatMap(({ rows }) => rows.flatMap((row) => row.cells))) {
      if (positionOf(at).join() === position) elements.get(keyOf({ step: id, at }))?.classList.add("lit");
    }
  }
  for (const source of lineageOf(steps, cell)) elements.get(keyOf(source))?.classList.add("source");
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
