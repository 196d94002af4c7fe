/** Keyboard navigation in tables, after the ARIA grid pattern: one tab stop each, and keys that move between cells. */
import { FOCUS_SELECTOR } from "./heat-map.ts";

/** Moves the focus in the tables of `steps` with the arrow keys, Home and End. Control moves it to the first or last cell. */
export function enableGridNavigation(steps: HTMLElement): void {
  steps.addEventListener("focusin", ({ target }) => makeTabStop(target as HTMLElement));
  steps.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !(event.target instanceof HTMLElement)) return;
    const rows = rowsOf(event.target.closest("table"));
    const y = rows.findIndex((row) => row.includes(event.target as HTMLElement));
    if (y < 0) return;
    const x = rows[y]!.indexOf(event.target);
    const next = event.target.matches(".score") ? nextScore(event, rows, y, x) : nextCell(event, rows, y, x);
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  });
}

/** Gives each table a cell that the Tab key reaches, its first one unless it has one. */
export function ensureTabStops(steps: HTMLElement): void {
  for (const table of steps.querySelectorAll("table")) {
    if (table.querySelector("[tabindex='0']") === null)
      table.querySelector(FOCUS_SELECTOR)?.setAttribute("tabindex", "0");
  }
}

function rowsOf(table: HTMLElement | null): HTMLElement[][] {
  return [...(table?.querySelectorAll("tbody tr") ?? [])].map((row) => [
    ...row.querySelectorAll<HTMLElement>(FOCUS_SELECTOR),
  ]);
}

function makeTabStop(cell: HTMLElement): void {
  const table = cell.closest("table");
  if (table === null || !cell.matches(FOCUS_SELECTOR)) return;
  for (const other of table.querySelectorAll("[tabindex='0']")) other.setAttribute("tabindex", "-1");
  cell.setAttribute("tabindex", "0");
}

type Rows = readonly (readonly HTMLElement[])[];

function nextCell(
  { key, ctrlKey }: KeyboardEvent,
  rows: Rows,
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

/** Leaves the keys of a text to a score: the arrow keys move from its ends only, and Control moves between rows. */
function nextScore(event: KeyboardEvent, rows: Rows, y: number, x: number): HTMLElement | undefined {
  const { key, ctrlKey } = event;
  const { selectionStart, selectionEnd, value } = event.target as HTMLInputElement;
  const isWhole = selectionStart === 0 && selectionEnd === value.length;
  const order = rows.flat();
  const place = order.indexOf(rows[y]![x]!);
  switch (key) {
    case "ArrowLeft":
      return isWhole || selectionEnd === 0 ? order[place - 1] : undefined;
    case "ArrowRight":
      return isWhole || selectionStart === value.length ? order[place + 1] : undefined;
    case "ArrowUp":
    case "ArrowDown":
      return ctrlKey ? nextCell(event, rows, y, x) : undefined;
    case "Home":
    case "End":
      return ctrlKey ? nextCell(event, rows, y, x) : undefined;
    default:
      return undefined;
  }
}

/** Changes the steps, and keeps the focus in them: at its cell, or at its table, or at the steps. */
export function keepFocus(steps: HTMLElement, change: () => void): void {
  const focused = document.activeElement;
  const hop = focused?.closest(".hop")?.id;
  change();
  if (hop === undefined || !(focused instanceof HTMLElement) || focused.isConnected) return;
  const table = document.getElementById(hop)?.querySelector<HTMLElement>(FOCUS_SELECTOR);
  (table ?? steps).focus();
}
