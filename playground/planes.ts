/** Tensors as tables: a matrix is one, a stack of images is one for each plane. Of large ones, the beginning. */
import type { Nested } from "./text.ts";
import { shapeOf, toNumber } from "./text.ts";

/** What a page can show and a person can look at. */
const MOST = { planes: 16, rows: 32, columns: 32 } as const;

export interface Cell {
  /** Its indices in the tensor. */
  readonly at: readonly number[];
  readonly value: number;
}

export interface Plane {
  /** Empty where there is one plane only. */
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly head: string; readonly cells: readonly Cell[] }[];
}

export interface Planes {
  readonly planes: readonly Plane[];
  /** How much of the tensor they show; empty where that is all. */
  readonly cut: string;
}

/** The element at these indices. */
export function pick(value: Nested, at: readonly number[]): Nested {
  return at.reduce<Nested>((inner, index) => (inner as readonly Nested[])[index]!, value);
}

/** A tensor with a class dimension: (C), (N, C) or (N, C, d1..dK). */
export function classPlanes(value: Nested): Planes {
  const shape = shapeOf(value);
  if (shape.length <= 2) return tables(1, shape.at(-2) ?? 1, shape.at(-1) ?? 1, () => matrix(value, shape));
  const [images = 0, classes = 0, ...rest] = shape;
  const [height, width] = extent(rest);
  return tables(images * classes, height, width, (at) => {
    const [n, c] = [Math.floor(at / classes), at % classes];
    return grid(value, [n, c], rest, title(images, n, `class ${c}`));
  });
}

/** A tensor without one: (), (N) or (N, d1..dK), of what `name` says. */
export function positionPlanes(value: Nested, name: string): Planes {
  const shape = shapeOf(value);
  if (shape.length <= 1) return tables(1, shape[0] ?? 1, 1, () => list(value, shape, name));
  const [images = 0, ...rest] = shape;
  const [height, width] = extent(rest);
  return tables(images, height, width, (n) => grid(value, [n], rest, title(images, n, "")));
}

function tables(planes: number, rows: number, columns: number, tableAt: (at: number) => Plane): Planes {
  const sizes = { planes, rows, columns };
  const cut = (["planes", "rows", "columns"] as const)
    .filter((part) => sizes[part] > MOST[part])
    .map((part) => `${MOST[part]} of ${sizes[part]} ${part}`);
  return {
    planes: range(planes, MOST.planes).map(tableAt),
    cut: cut.length === 0 ? "" : `The first ${cut.join(", ")}.`,
  };
}

/** The rows and columns of a plane of these dimensions. */
function extent(rest: readonly number[]): [height: number, width: number] {
  const [height = 1, ...inner] = rest.length === 1 ? [1, ...rest] : rest;
  return [height, inner.reduce((product, size) => product * size, 1)];
}

function matrix(value: Nested, shape: readonly number[]): Plane {
  const columns = range(shape.at(-1) ?? 1, MOST.columns);
  const heads = columns.map((c) => (shape.length === 0 ? "score" : `class ${c}`));
  if (shape.length < 2) {
    const cells = columns.map((c) => cell(value, shape.length === 0 ? [] : [c]));
    return { title: "", columns: heads, rows: [{ head: "", cells }] };
  }
  const rows = range(shape[0]!, MOST.rows).map((n) => ({
    head: `row ${n}`,
    cells: columns.map((c) => cell(value, [n, c])),
  }));
  return { title: "", columns: heads, rows };
}

function list(value: Nested, shape: readonly number[], name: string): Plane {
  const rows =
    shape.length === 0
      ? [{ head: "", cells: [cell(value, [])] }]
      : range(shape[0]!, MOST.rows).map((n) => ({ head: `row ${n}`, cells: [cell(value, [n])] }));
  return { title: "", columns: [name], rows };
}

/** The dimensions behind the first indices: one as a row, two as they are, more with the last ones side by side. */
function grid(value: Nested, first: readonly number[], rest: readonly number[], name: string): Plane {
  const [height, width] = extent(rest);
  const inner = rest.length === 1 ? rest : rest.slice(1);
  const places = range(width, MOST.columns).map((at) => unravel(at, inner));
  const rows = range(height, MOST.rows).map((y) => ({
    head: rest.length === 1 ? "" : `y ${y}`,
    cells: places.map((at) => cell(value, [...first, ...(rest.length === 1 ? at : [y, ...at])])),
  }));
  return { title: name, columns: places.map((at) => `x ${at.join(", ")}`), rows };
}

/** The indices of an element, from its row-major number. */
function unravel(at: number, sizes: readonly number[]): number[] {
  let rest = at;
  return sizes
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .reverse();
}

function cell(value: Nested, at: readonly number[]): Cell {
  return { at, value: toNumber(pick(value, at)) };
}

function title(images: number, n: number, rest: string): string {
  return [images > 1 ? `sample ${n}` : "", rest].filter((part) => part !== "").join(", ");
}

function range(count: number, most: number): number[] {
  return Array.from({ length: Math.min(count, most) }, (_, at) => at);
}
