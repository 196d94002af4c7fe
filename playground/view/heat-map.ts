/** Heat maps: a step as colored tables, with sums, and the arrow that leads to it. */

import type { CellColors } from "../steps/colors.ts";
import { heatScale } from "../steps/colors.ts";
import type { CellRef, Step, Sums } from "../steps/step.ts";
import { keyOf } from "../steps/step.ts";
import { fullNumber, shortNumber } from "../tensors/arithmetic.ts";
import type { Cell, Indices, Slice } from "../tensors/slices.ts";
import { element, svgElement } from "./dom.ts";

/** Cells that the pointer reaches, and the elements in them that the focus reaches. */
export const CELL_SELECTOR = ".cell, .sum";
export const FOCUS_SELECTOR = ".cell:not(:has(.score)), .score, .sum";

interface Drawing {
  readonly step: Step;
  /** Undefined for a table without colors. */
  readonly colorsOf: ((value: number) => CellColors) | undefined;
}

/** Draws a step after its arrow. */
export function renderStep(step: Step): HTMLElement {
  const hop = element("div", { class: "hop", id: `hop-${step.id}` });
  if (step.arrow !== undefined) hop.append(renderArrow(step.arrow));
  const section = element("section", { class: "step", id: `step-${step.id}` });
  section.append(element("h3", {}, step.title));
  if (step.note !== "") section.append(element("p", { class: "note" }, step.note));
  const { truncation } = step.slices;
  if (truncation !== "") section.append(element("p", { class: "note truncation" }, truncation));
  section.append(step.isNumber === true ? renderNumber(step) : renderSlices(step));
  hop.append(section);
  return hop;
}

function renderArrow(words: string): HTMLElement {
  const arrow = element("div", { class: "arrow" });
  const picture = svgElement("svg", { viewBox: "0 0 48 12", "aria-hidden": "true" });
  picture.append(svgElement("path", { d: "M1 6h45m-7 -5l7 5l-7 5" }));
  arrow.append(element("span", {}, words), picture);
  return arrow;
}

function renderNumber(step: Step): HTMLElement {
  const { at, value } = step.slices.slices[0]!.rows[0]!.cells[0]!;
  const attributes = {
    class: "cell number",
    id: "loss",
    tabindex: "0",
    "data-cell": keyOf({ step: step.id, at }),
  };
  const number = element("p", { class: "loss" });
  number.append(element("span", attributes, shortNumber(value)));
  return number;
}

function renderSlices(step: Step): HTMLElement {
  const list = element("div", { class: "slices" });
  const colorsOf = step.heat && heatScale(step.heat, step.slices.slices.flatMap(valuesOf));
  for (const slice of step.slices.slices) list.append(renderSlice(slice, { step, colorsOf }));
  return list;
}

function valuesOf({ rows }: Slice): number[] {
  return rows.flatMap(({ cells }) => cells.map(({ value }) => value));
}

function renderSlice(slice: Slice, drawing: Drawing): HTMLElement {
  const { step } = drawing;
  const name = slice.title === "" ? step.title : `${step.title}: ${slice.title}`;
  const table = element("table", {
    role: "grid",
    ...(step.isEditable !== true && { "aria-readonly": "true" }),
  });
  table.append(element("caption", slice.title === "" ? { class: "unseen" } : {}, slice.title || name));
  const head = element("tr", {});
  head.append(element("td", {}));
  for (const column of [...slice.columns, ...(step.sums?.of === "rows" ? ["sum"] : [])])
    head.append(element("th", { scope: "col", title: column }, column));
  table.append(wrap("thead", [head]));
  const rows = slice.rows.map((row, line) => renderRow(row, slice.columns, line, drawing));
  if (step.sums?.of === "columns") rows.push(renderSumRow(slice, step.sums));
  table.append(wrap("tbody", rows));
  // A wide table scrolls in its own region, which the keyboard scrolls through its cells.
  const region = element("div", { class: "scroll", role: "group", "aria-label": name });
  region.append(table);
  return region;
}

function renderRow(
  { head, cells }: Slice["rows"][number],
  columns: readonly string[],
  line: number,
  drawing: Drawing,
): HTMLElement {
  const row = element("tr", {});
  row.append(head === "" ? element("td", {}) : element("th", { scope: "row", title: head }, head));
  for (const [index, cell] of cells.entries())
    row.append(renderCell(cell, `${head} ${columns[index]}`.trim(), drawing));
  const { sums } = drawing.step;
  if (sums?.of === "rows") row.append(renderSum(cells[0], line, sums));
  return row;
}

function renderCell({ at, value }: Cell, name: string, { step, colorsOf }: Drawing): HTMLElement {
  const isPicked = step.isPicked?.(at) === true;
  const attributes = { class: isPicked ? "cell picked" : "cell", "data-cell": keyOf({ step: step.id, at }) };
  const targetWords = isPicked ? " (target)" : "";
  const cell = element("td", step.isEditable !== true ? { ...attributes, tabindex: "-1" } : attributes);
  if (step.isEditable !== true) {
    cell.append(shortNumber(value));
    if (isPicked) cell.append(element("span", { class: "unseen" }, targetWords));
  } else {
    // The text below the input gives the column its width.
    cell.append(element("span", { class: "width", "aria-hidden": "true" }, shortNumber(value)));
    cell.append(renderScore(value, `${name}${targetWords}`));
  }
  if (colorsOf !== undefined) {
    const { background, text } = colorsOf(value);
    cell.style.setProperty("--heat", background);
    cell.style.setProperty("--heat-text", text);
  }
  return cell;
}

/** Draws a number that is edited in its cell, after the ARIA spinbutton pattern. */
function renderScore(value: number, name: string): HTMLElement {
  return element("input", {
    class: "score",
    type: "text",
    role: "spinbutton",
    inputmode: "none",
    autocomplete: "off",
    size: "1",
    tabindex: "-1",
    "aria-label": name,
    ...(Number.isFinite(value) && { "aria-valuenow": String(value) }),
    "aria-valuetext": fullNumber(value),
    value: shortNumber(value),
  });
}

/** Draws the sum of a line with its first cell. The focus finds it again by `line`, the index of its row or column. */
function renderSum(cell: Cell | undefined, line: number, { sumAt }: Sums): HTMLElement {
  const sum = cell === undefined ? 0 : sumAt(cell.at);
  return element("td", { class: "sum", tabindex: "-1", "data-sum": String(line) }, shortNumber(sum));
}

function renderSumRow({ rows }: Slice, sums: Sums): HTMLElement {
  const columns = rows[0]?.cells ?? [];
  const row = columns.map((cell, c) => renderSum(cell, c, sums));
  return wrap("tr", [element("th", { scope: "row" }, "sum"), ...row]);
}

function wrap(name: string, children: readonly HTMLElement[]): HTMLElement {
  const outer = element(name, {});
  outer.append(...children);
  return outer;
}

/** Returns the cell that an element is in or is, undefined outside of the cells and for a sum. */
export function cellOf(target: EventTarget | null): CellRef | undefined {
  const key = (target as Element | null)?.closest<HTMLElement>("[data-cell]")?.dataset.cell;
  if (key === undefined) return undefined;
  const [step = "", at = ""] = key.split(":");
  return { step, at: indicesOf(at) };
}

/** Reads indices that are joined by commas. */
export function indicesOf(text: string): Indices {
  return text === "" ? [] : text.split(",").map(Number);
}
