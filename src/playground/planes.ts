/** Tensors as tables: a matrix is one, a stack of images is one for each plane. */
import type { Nested } from "./text.ts";
import { shapeOf, toNumber } from "./text.ts";

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

/** The element at these indices. */
export function pick(value: Nested, at: readonly number[]): Nested {
  return at.reduce<Nested>((inner, index) => (inner as readonly Nested[])[index]!, value);
}

/** A tensor with a class dimension: (C), (N, C) or (N, C, d1..dK). */
export function classPlanes(value: Nested): Plane[] {
  const shape = shapeOf(value);
  if (shape.length <= 2) return [matrix(value, shape, "class")];
  const [images = 0, classes = 0, ...rest] = shape;
  return range(images).flatMap((n) =>
    range(classes).map((c) => grid(value, [n, c], rest, title(images, n, `class ${c}`))),
  );
}

/** A tensor without one: (), (N) or (N, d1..dK). */
export function positionPlanes(value: Nested): Plane[] {
  const shape = shapeOf(value);
  if (shape.length === 0)
    return [{ title: "", columns: [""], rows: [{ head: "", cells: [cell(value, [])] }] }];
  if (shape.length === 1) {
    const rows = range(shape[0]!).map((n) => ({ head: `row ${n}`, cells: [cell(value, [n])] }));
    return [{ title: "", columns: [""], rows }];
  }
  const [images = 0, ...rest] = shape;
  return range(images).map((n) => grid(value, [n], rest, title(images, n, "")));
}

function matrix(value: Nested, shape: readonly number[], column: string): Plane {
  const columns = range(shape.at(-1) ?? 1).map((c) => (shape.length === 0 ? "" : `${column} ${c}`));
  if (shape.length === 2) {
    const rows = range(shape[0]!).map((n) => ({
      head: `row ${n}`,
      cells: columns.map((_, c) => cell(value, [n, c])),
    }));
    return { title: "", columns, rows };
  }
  const cells = columns.map((_, c) => cell(value, shape.length === 0 ? [] : [c]));
  return { title: "", columns, rows: [{ head: "", cells }] };
}

/** The dimensions behind the first indices: one as a row, two as they are, more with the last ones side by side. */
function grid(value: Nested, first: readonly number[], rest: readonly number[], name: string): Plane {
  const [height, ...inner] = rest.length === 1 ? [1, ...rest] : rest;
  const places = inner.reduce<number[][]>(
    (found, size) => found.flatMap((at) => range(size).map((index) => [...at, index])),
    [[]],
  );
  const rows = range(height!).map((y) => ({
    head: rest.length === 1 ? "" : `${y}`,
    cells: places.map((at) => cell(value, [...first, ...(rest.length === 1 ? at : [y, ...at])])),
  }));
  return { title: name, columns: places.map((at) => at.join(", ")), rows };
}

function cell(value: Nested, at: readonly number[]): Cell {
  return { at, value: toNumber(pick(value, at)) };
}

function title(images: number, n: number, rest: string): string {
  return [images > 1 ? `sample ${n}` : "", rest].filter((part) => part !== "").join(", ");
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
