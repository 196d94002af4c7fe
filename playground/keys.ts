/** The keyboard in a table, as the ARIA pattern of a grid has it: one stop of the Tab key, from which arrows go on. */
import { CELLS } from "./dom.ts";

/** Moves the focus by arrows, Home and End, with Control to the corners. */
export function moveByKeys(table: HTMLElement): void {
  const lines = [...table.querySelectorAll("tbody tr")].map((row) => [
    ...row.querySelectorAll<HTMLElement>(CELLS),
  ]);
  lines[0]?.[0]?.setAttribute("tabindex", "0");
  table.addEventListener("focusin", ({ target }) => makeStop(table, target as HTMLElement));
  table.addEventListener("keydown", (event) => {
    const y = lines.findIndex((line) => line.includes(event.target as HTMLElement));
    if (y < 0) return;
    const x = lines[y]!.indexOf(event.target as HTMLElement);
    const next = stepTo(event, lines, y, x);
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  });
}

/** Makes a cell the one that the Tab key comes back to. */
function makeStop(table: HTMLElement, cell: HTMLElement): void {
  if (!cell.matches(CELLS)) return;
  for (const other of table.querySelectorAll("[tabindex='0']")) other.setAttribute("tabindex", "-1");
  cell.setAttribute("tabindex", "0");
}

function stepTo(
  { key, ctrlKey }: KeyboardEvent,
  lines: readonly (readonly HTMLElement[])[],
  y: number,
  x: number,
): HTMLElement | undefined {
  switch (key) {
    case "ArrowLeft":
      return lines[y]![x - 1];
    case "ArrowRight":
      return lines[y]![x + 1];
    case "ArrowUp":
      return lines[y - 1]?.[x];
    case "ArrowDown":
      return lines[y + 1]?.[x];
    case "Home":
      return lines[ctrlKey ? 0 : y]![0];
    case "End":
      return lines.at(ctrlKey ? -1 : y)!.at(-1);
    default:
      return undefined;
  }
}

/** Where the focus is in the steps, so that it can be found again after they are drawn anew. */
export interface Focus {
  readonly section: string;
  readonly at: string | undefined;
  readonly sum: string | undefined;
}

/** Undefined where the focus is elsewhere. */
export function focusIn(steps: HTMLElement): Focus | undefined {
  const { activeElement } = document;
  if (!(activeElement instanceof HTMLElement) || !steps.contains(activeElement) || activeElement === steps)
    return undefined;
  const { at, sum } = activeElement.dataset;
  return { section: activeElement.closest("section")?.id ?? "", at, sum };
}

/** Back to the same cell, or else the first of its step, or else the steps. */
export function restoreFocus(steps: HTMLElement, { section, at, sum }: Focus): void {
  const part = section === "" ? null : steps.querySelector<HTMLElement>(`#${section}`);
  const cells = [...(part?.querySelectorAll<HTMLElement>(CELLS) ?? [])];
  (cells.find((cell) => cell.dataset.at === at && cell.dataset.sum === sum) ?? cells[0] ?? steps).focus();
}
