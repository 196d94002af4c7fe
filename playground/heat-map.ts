/** Heat maps: a step as coloured tables, with sums and cells that the keyboard reaches. */
import { shortNumber } from "./arithmetic.ts";
import type { CellColors } from "./colors.ts";
import { heatScale } from "./colors.ts";
import { element } from "./dom.ts";
import { CELL_SELECTOR, enableGridNavigation } from "./grid-navigation.ts";
import type { Cell, Indices, Slice } from "./slices.ts";
import type { Step } from "./steps.ts";

/** An element that the server rejected. */
export interface CellError {
  readonly at: Indices;
  readonly detail: string;
}

/** Receives the explanation of a focused cell, and of a cell under the pointer. */
export interface ExplanationListener {
  focused(sentence: string): void;
  pointed(sentence: string): void;
}

interface Drawing {
  readonly step: Step;
  /** Undefined for a table without colors. */
  readonly colorsOf: ((value: number) => CellColors) | undefined;
  readonly error: CellError | undefined;
}

/** Draws a step. Marks the cell of `error`, if it is drawn. */
export function renderStep(step: Step, listener: ExplanationListener, error?: CellError): HTMLElement {
  const section = element("section", { class: "step", id: `step-${step.id}` });
  section.append(element("h3", {}, step.title));
  if (step.note !== "") section.append(element("p", { class: "note" }, step.note));
  const { slices, truncation } = step.slices;
  if (truncation !== "") section.append(element("p", { class: "note truncation" }, truncation));
  const colorsOf = step.heat && heatScale(step.heat, slices.flatMap(valuesOf));
  const list = element("div", { class: "slices" });
  for (const slice of slices) list.append(renderSlice(slice, { step, colorsOf, error }));
  section.append(list);
  section.addEventListener("focusin", ({ target }) => explainTo(listener.focused, step, target));
  section.addEventListener("pointerover", ({ target }) => explainTo(listener.pointed, step, target));
  return section;
}

function explainTo(tell: (sentence: string) => void, step: Step, target: EventTarget | null): void {
  const cell = (target as HTMLElement).closest<HTMLElement>(CELL_SELECTOR);
  if (cell === null) return;
  const { at } = cell.dataset;
  if (at === undefined) tell(`These add up to ${cell.textContent}.`);
  else tell(step.explain(at === "" ? [] : at.split(",").map(Number)));
}

function valuesOf({ rows }: Slice): number[] {
  return rows.flatMap(({ cells }) => cells.map(({ value }) => value));
}

function renderSlice(slice: Slice, drawing: Drawing): HTMLElement {
  const { step } = drawing;
  const name = slice.title === "" ? step.title : `${step.title}: ${slice.title}`;
  const table = element("table", { role: "grid", "aria-readonly": "true" });
  table.append(element("caption", slice.title === "" ? { class: "unseen" } : {}, slice.title || name));
  const head = element("tr", {});
  head.append(element("td", {}));
  for (const column of [...slice.columns, ...(step.sums === "rows" ? ["sum"] : [])])
    head.append(element("th", { scope: "col" }, column));
  table.append(wrap("thead", [head]));
  const rows = slice.rows.map((row, line) => renderRow(row, line, drawing));
  if (step.sums === "columns") rows.push(renderSumRow(slice));
  table.append(wrap("tbody", rows));
  enableGridNavigation(table);
  // A wide table scrolls in its own region, which the keyboard scrolls through its cells.
  const region = element("div", { class: "scroll", role: "group", "aria-label": name });
  region.append(table);
  return region;
}

function renderRow({ head, cells }: Slice["rows"][number], line: number, drawing: Drawing): HTMLElement {
  const row = element("tr", {});
  row.append(head === "" ? element("td", {}) : element("th", { scope: "row" }, head));
  for (const cell of cells) row.append(renderCell(cell, drawing));
  if (drawing.step.sums === "rows") row.append(renderSum(cells, line));
  return row;
}

function renderCell({ at, value }: Cell, { step, colorsOf, error }: Drawing): HTMLElement {
  const attributes = { class: "cell", tabindex: "-1", "data-at": at.join() };
  const cell = element("td", attributes, shortNumber(value));
  if (colorsOf !== undefined) {
    const { background, text } = colorsOf(value);
    cell.style.backgroundColor = background;
    cell.style.color = text;
  }
  if (step.isPicked?.(at)) {
    cell.classList.add("picked");
    cell.append(element("span", { class: "unseen" }, " (target)"));
  }
  if (error !== undefined && error.at.join() === at.join()) {
    cell.classList.add("fault");
    cell.append(element("span", { class: "unseen" }, ` at fault: ${error.detail}`));
  }
  return cell;
}

/** Draws a sum. The focus finds it again by `line`, the index of its row or column. */
function renderSum(cells: readonly Cell[], line: number): HTMLElement {
  const sum = cells.reduce((total, { value }) => total + value, 0);
  return element("td", { class: "sum", tabindex: "-1", "data-sum": String(line) }, shortNumber(sum));
}

function renderSumRow({ rows }: Slice): HTMLElement {
  const columns = (rows[0]?.cells ?? []).map((_, c) => rows.map(({ cells }) => cells[c]!));
  return wrap("tr", [element("th", { scope: "row" }, "sum"), ...columns.map(renderSum)]);
}

function wrap(name: string, children: readonly HTMLElement[]): HTMLElement {
  const outer = element(name, {});
  outer.append(...children);
  return outer;
}
