/** A plane as a table: heat, sums, and cells that keys and pointers reach. */
import { heatOf } from "./colours.ts";
import type { Cell, Plane } from "./planes.ts";
import type { Step } from "./steps.ts";
import { shortNumber } from "./text.ts";

/** A cell that is at fault, by its indices. */
export interface Fault {
  readonly at: readonly number[];
  readonly detail: string;
}

/** The section of one step. `tell` is called with the sentence for the cell that is looked at. */
export function renderStep(step: Step, tell: (text: string) => void, fault?: Fault): HTMLElement {
  const section = element("section", { class: "step", id: `step-${step.id}` });
  const heading = element("h3", { id: `title-${step.id}` }, step.title);
  section.append(heading, element("p", { class: "note" }, step.note));
  const paint = heatOf(step.heat, step.planes.flatMap(valuesOf));
  const planes = element("div", { class: "planes" });
  for (const plane of step.planes) planes.append(renderPlane(step, plane, paint, tell, fault));
  section.append(planes);
  return section;
}

function valuesOf({ rows }: Plane): number[] {
  return rows.flatMap(({ cells }) => cells.map(({ value }) => value));
}

function renderPlane(
  step: Step,
  plane: Plane,
  paint: ReturnType<typeof heatOf>,
  tell: (text: string) => void,
  fault: Fault | undefined,
): HTMLElement {
  const table = element("table", {});
  const name = plane.title === "" ? step.title : `${step.title}: ${plane.title}`;
  table.append(
    element(
      "caption",
      plane.title === "" ? { class: "unseen" } : {},
      plane.title === "" ? name : plane.title,
    ),
  );
  const sums = step.sums === "rows" ? ["sum"] : [];
  if (plane.columns.some((column) => column !== "")) {
    const head = element("tr", {});
    head.append(element("td", {}));
    for (const column of [...plane.columns, ...sums]) head.append(element("th", { scope: "col" }, column));
    table.append(wrap("thead", head));
  }
  const body = element("tbody", {});
  for (const { head, cells } of plane.rows) {
    const row = element("tr", {});
    row.append(head === "" ? element("td", {}) : element("th", { scope: "row" }, head));
    for (const cell of cells) row.append(renderCell(step, cell, paint, tell, fault));
    if (step.sums === "rows") row.append(sumCell(cells));
    body.append(row);
  }
  if (step.sums === "columns") body.append(sumRow(plane));
  table.append(body);
  // Wide tables scroll by themselves; a region that scrolls is reached by the keyboard through its cells.
  const region = element("div", { class: "scroll", role: "group", "aria-label": name });
  region.append(table);
  moveByKeys(table);
  return region;
}

function renderCell(
  step: Step,
  { at, value }: Cell,
  paint: (value: number) => { background: string; text: string },
  tell: (text: string) => void,
  fault: Fault | undefined,
): HTMLElement {
  const cell = element("td", { class: "cell", tabindex: "-1" }, shortNumber(value));
  const { background, text } = paint(value);
  cell.style.backgroundColor = background;
  cell.style.color = text;
  const say = (): void => tell(step.explain(at));
  cell.addEventListener("focus", say);
  cell.addEventListener("pointerenter", say);
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

function sumCell(cells: readonly Cell[]): HTMLElement {
  return element("td", { class: "sum" }, shortNumber(cells.reduce((sum, { value }) => sum + value, 0)));
}

function sumRow({ rows }: Plane): HTMLElement {
  const row = element("tr", {});
  row.append(element("th", { scope: "row" }, "sum"));
  const width = rows[0]?.cells.length ?? 0;
  for (let c = 0; c < width; c++) row.append(sumCell(rows.map(({ cells }) => cells[c]!)));
  return row;
}

/** One stop of the Tab key a table; arrows, Home and End go on from there. */
function moveByKeys(table: HTMLElement): void {
  const lines = [...table.querySelectorAll("tbody tr")].map((row) => [
    ...row.querySelectorAll<HTMLElement>(".cell"),
  ]);
  lines[0]?.[0]?.setAttribute("tabindex", "0");
  table.addEventListener("keydown", (event) => {
    const y = lines.findIndex((line) => line.includes(event.target as HTMLElement));
    if (y < 0) return;
    const x = lines[y]!.indexOf(event.target as HTMLElement);
    const next = stepTo(event.key, lines, y, x);
    if (next === undefined) return;
    event.preventDefault();
    for (const cell of lines.flat()) cell.setAttribute("tabindex", cell === next ? "0" : "-1");
    next.focus();
  });
}

function stepTo(
  key: string,
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
      return lines[y]![0];
    case "End":
      return lines[y]!.at(-1);
    default:
      return undefined;
  }
}

function wrap(name: string, child: HTMLElement): HTMLElement {
  const outer = element(name, {});
  outer.append(child);
  return outer;
}

/** An element with attributes and text. */
export function element(name: string, attributes: Readonly<Record<string, string>>, text = ""): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  if (text !== "") made.textContent = text;
  return made;
}
