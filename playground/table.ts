/** A step as tables: heat, sums, and cells that keys and pointers reach. */
import { shortNumber } from "./arithmetic.ts";
import type { Paint } from "./colours.ts";
import { heatOf } from "./colours.ts";
import { CELLS, element } from "./dom.ts";
import { moveByKeys } from "./keys.ts";
import type { Cell, Slice } from "./slices.ts";
import type { Step } from "./steps.ts";

/** A cell that is at fault, by its indices. */
export interface Fault {
  readonly at: readonly number[];
  readonly detail: string;
}

/** Who is told what a cell's number comes from: of a cell that has the focus, and of one that is pointed at. */
export interface Listener {
  focused(sentence: string): void;
  pointed(sentence: string): void;
}

/** What the cells of a step are drawn with. */
interface Drawing {
  readonly step: Step;
  readonly paint: (value: number) => Paint;
  readonly fault: Fault | undefined;
}

/** The section of one step. */
export function renderStep(step: Step, listener: Listener, fault?: Fault): HTMLElement {
  const section = element("section", { class: "step", id: `step-${step.id}` });
  section.append(element("h3", {}, step.title), element("p", { class: "note" }, step.note));
  const { slices, truncation } = step.slices;
  if (truncation !== "") section.append(element("p", { class: "note truncation" }, truncation));
  const paint = heatOf(step.heat, slices.flatMap(valuesOf));
  const list = element("div", { class: "slices" });
  for (const slice of slices) list.append(renderSlice(slice, { step, paint, fault }));
  section.append(list);
  section.addEventListener("focusin", ({ target }) => tellOf(step, target, listener.focused));
  section.addEventListener("pointerover", ({ target }) => tellOf(step, target, listener.pointed));
  return section;
}

function tellOf(step: Step, target: EventTarget | null, tell: (sentence: string) => void): void {
  const cell = (target as HTMLElement).closest<HTMLElement>(CELLS);
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
  table.append(wrap("thead", head));
  const body = element("tbody", {});
  for (const [line, row] of slice.rows.entries()) body.append(renderRow(row, line, drawing));
  if (step.sums === "columns") body.append(sumRow(slice));
  table.append(body);
  moveByKeys(table);
  // Wide tables scroll by themselves; a region that scrolls is reached by the keyboard through its cells.
  const region = element("div", { class: "scroll", role: "group", "aria-label": name });
  region.append(table);
  return region;
}

function renderRow({ head, cells }: Slice["rows"][number], line: number, drawing: Drawing): HTMLElement {
  const row = element("tr", {});
  row.append(head === "" ? element("td", {}) : element("th", { scope: "row" }, head));
  for (const cell of cells) row.append(renderCell(cell, drawing));
  if (drawing.step.sums === "rows") row.append(sumCell(cells, line));
  return row;
}

function renderCell({ at, value }: Cell, { step, paint, fault }: Drawing): HTMLElement {
  const attributes = { class: "cell", tabindex: "-1", "data-at": at.join() };
  const cell = element("td", attributes, shortNumber(value));
  const { background, text } = paint(value);
  cell.style.backgroundColor = background;
  cell.style.color = text;
  if (step.isPicked?.(at)) {
    cell.classList.add("picked");
    cell.append(element("span", { class: "unseen" }, " (target)"));
  }
  if (fault !== undefined && fault.at.join() === at.join()) {
    cell.classList.add("fault");
    cell.append(element("span", { class: "unseen" }, ` at fault: ${fault.detail}`));
  }
  return cell;
}

/** The sum of a line, found again by the line's number. */
function sumCell(cells: readonly Cell[], line: number): HTMLElement {
  const sum = cells.reduce((total, { value }) => total + value, 0);
  return element("td", { class: "sum", tabindex: "-1", "data-sum": String(line) }, shortNumber(sum));
}

function sumRow({ rows }: Slice): HTMLElement {
  const row = element("tr", {});
  row.append(element("th", { scope: "row" }, "sum"));
  for (const c of (rows[0]?.cells ?? []).keys())
    row.append(
      sumCell(
        rows.map(({ cells }) => cells[c]!),
        c,
      ),
    );
  return row;
}

function wrap(name: string, child: HTMLElement): HTMLElement {
  const outer = element(name, {});
  outer.append(child);
  return outer;
}
