/** Keyboard navigation in tables, after the ARIA grid pattern: one tab stop each, and arrow keys between cells. */

/** Selects the cells that the keyboard and the pointer reach. */
export const CELL_SELECTOR = ".cell, .sum";

/** Moves the focus with the arrow keys, Home and End. Control moves it to the first or last cell. */
export function enableGridNavigation(table: HTMLElement): void {
  const rows = [...table.querySelectorAll("tbody tr")].map((row) => [
    ...row.querySelectorAll<HTMLElement>(CELL_SELECTOR),
  ]);
  rows[0]?.[0]?.setAttribute("tabindex", "0");
  table.addEventListener("focusin", ({ target }) => makeTabStop(table, target as HTMLElement));
  table.addEventListener("keydown", (event) => {
    const y = rows.findIndex((row) => row.includes(event.target as HTMLElement));
    if (y < 0) return;
    const x = rows[y]!.indexOf(event.target as HTMLElement);
    const next = nextCell(event, rows, y, x);
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  });
}

function makeTabStop(table: HTMLElement, cell: HTMLElement): void {
  if (!cell.matches(CELL_SELECTOR)) return;
  for (const other of table.querySelectorAll("[tabindex='0']")) other.setAttribute("tabindex", "-1");
  cell.setAttribute("tabindex", "0");
}

function nextCell(
  { key, ctrlKey }: KeyboardEvent,
  rows: readonly (readonly HTMLElement[])[],
  y: number,
  x: number,
): HTMLElement | undefined {
  switch (key) {
    case "ArrowLeft":
      return rows[y]![x - 1];
    case "ArrowRight":
      return rows[y]![x + 1];
    case "ArrowUp":
      return rows[y - 1]?.[x];
    case "ArrowDown":
      return rows[y + 1]?.[x];
    case "Home":
      return rows[ctrlKey ? 0 : y]![0];
    case "End":
      return rows.at(ctrlKey ? -1 : y)!.at(-1);
    default:
      return undefined;
  }
}

/** A focused cell, identified so that the focus survives a redraw of the steps. */
export interface FocusedCell {
  readonly section: string;
  readonly at: string | undefined;
  readonly sum: string | undefined;
}

/** Returns the focused cell, undefined if the focus is outside the steps. */
export function focusedCell(steps: HTMLElement): FocusedCell | undefined {
  const { activeElement } = document;
  if (!(activeElement instanceof HTMLElement) || !steps.contains(activeElement) || activeElement === steps)
    return undefined;
  const { at, sum } = activeElement.dataset;
  return { section: activeElement.closest("section")?.id ?? "", at, sum };
}

/** Focuses the same cell again, or the first cell of its step, or the steps if the step is gone. */
export function restoreFocus(steps: HTMLElement, { section, at, sum }: FocusedCell): void {
  const step = section === "" ? null : steps.querySelector<HTMLElement>(`#${section}`);
  const cells = [...(step?.querySelectorAll<HTMLElement>(CELL_SELECTOR) ?? [])];
  (cells.find((cell) => cell.dataset.at === at && cell.dataset.sum === sum) ?? cells[0] ?? steps).focus();
}
