/** Tensors as nested lists, and their two-dimensional slices, each drawn as a table. */

/**
 * A tensor as nested lists. Non-finite elements are strings ("NaN", "Infinity", "-Infinity"), as in the API. Integers of
 * 2^53 or more in magnitude are bigints.
 */
export type Nested = number | bigint | string | readonly Nested[];

/** lossd accepts tensors of up to this many dimensions. */
export const MAX_RANK = 8;

/** The indices of an element, outermost first. A scalar has none. */
export type Indices = readonly number[];

/** Bounds the number of DOM nodes that a large tensor takes. */
const MAX_DRAWN = { slices: 16, rows: 32, columns: 32 } as const;

/** No line of a tensor is drawn further than this. */
export const MAX_DRAWN_LINE = MAX_DRAWN.columns;

export interface Cell {
  readonly at: Indices;
  readonly value: number;
}

export interface Slice {
  /** Empty if the tensor has only one slice. */
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly head: string; readonly cells: readonly Cell[] }[];
}

export interface Slices {
  readonly slices: readonly Slice[];
  /** Says how much of the tensor is drawn, empty if all of it is. */
  readonly truncation: string;
}

/** Returns the sizes of nested lists, taken from the first element of each level. */
export function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...(value.length > 0 ? shapeOf(value[0]) : [])] : [];
}

/** Converts an element of a request or response to a number. */
export function toNumber(value: unknown): number {
  return Number(value as string | number | bigint);
}

/** Returns the element or sublist at these indices. */
export function elementAt(value: Nested, at: Indices): Nested {
  return at.reduce<Nested>((inner, index) => (inner as readonly Nested[])[index]!, value);
}

export function numberAt(value: Nested, at: Indices): number {
  return toNumber(elementAt(value, at));
}

/** Returns a tensor with each element replaced. Infinities and NaN become numbers. */
export function mapElements(value: Nested, replace: (element: number) => number): Nested {
  return Array.isArray(value)
    ? value.map((inner: Nested) => mapElements(inner, replace))
    : replace(toNumber(value));
}

/** Returns the first numbers of a tensor, up to `count` of them. */
export function firstNumbers(value: Nested, count: number): number[] {
  if (!Array.isArray(value)) return [toNumber(value)];
  const found: number[] = [];
  for (const inner of value) {
    if (found.length >= count) break;
    found.push(...firstNumbers(inner, count - found.length));
  }
  return found;
}

/** Returns the indices of the elements along `dim` at a position, whose indices omit it, up to `limit` of them. */
export function lineIndices(value: Nested, position: Indices, dim: number, limit = Infinity): Indices[] {
  const shape = shapeOf(value);
  if (shape.length === 0) return [[]];
  return Array.from({ length: Math.min(shape[dim]!, limit) }, (_, c) => position.toSpliced(dim, 0, c));
}

/** Returns the elements along `dim` through an element, or the scalar. */
export function lineAt(value: Nested, at: Indices, dim: number): number[] {
  const length = shapeOf(value)[dim] ?? 1;
  return Array.from({ length }, (_, c) => numberAt(value, at.length === 0 ? [] : at.with(dim, c)));
}

/**
 * Slices a tensor along its class dimension `dim`: (C), (N, C) or (C, N) as one table, (N, d1, C) as a table for each
 * sample, and (N, C, d1..dK) as a table for each sample and class. Classes have their names as headings.
 */
export function classSlices(value: Nested, dim: number, classNames: readonly string[] = []): Slices {
  const shape = shapeOf(value);
  const classes = shape[dim] ?? 1;
  const className = (c: number): string => classNames[c] ?? `class ${c}`;
  const row = (n: number): string => `row ${n}`;
  if (shape.length <= 2) {
    const heads: Matrix["heads"] =
      shape.length === 2 && dim === 0 ? [className, (n) => `column ${n}`] : [row, className];
    return limit(1, shape.at(-2) ?? 1, shape.at(-1) ?? 1, () => matrix(value, { shape, heads }));
  }
  const [samples = 0, ...rest] = shape.toSpliced(dim, 1);
  if (shape.length === 3 && dim === 2) {
    return limit(samples, rest[0]!, classes, (n) => {
      const rows = elementAt(value, [n]);
      return matrix(rows, {
        shape: shape.slice(1),
        heads: [row, className],
        first: [n],
        title: titleOf(samples, n, ""),
      });
    });
  }
  const [height, width] = extent(rest);
  return limit(samples * classes, height, width, (index) => {
    const [n, c] = [Math.floor(index / classes), index % classes];
    return grid(value, (at) => [n, ...at].toSpliced(dim, 0, c), rest, titleOf(samples, n, className(c)));
  });
}

/**
 * Slices a tensor without a class dimension: (), (N) or (N, d1..dK). `name` heads the only column of a list, whose rows
 * are `row`.
 */
export function positionSlices(value: Nested, name: string, row = "row"): Slices {
  const shape = shapeOf(value);
  if (shape.length <= 1) return limit(1, shape[0] ?? 1, 1, () => list(value, shape, name, row));
  const [samples = 0, ...rest] = shape;
  const [height, width] = extent(rest);
  return limit(samples, height, width, (n) => grid(value, (at) => [n, ...at], rest, titleOf(samples, n, "")));
}

/** Slices any tensor: (), (N) or (N, K) as one table, (N, d1..dK) as a table for each index of the first dimension. */
export function plainSlices(value: Nested, name: string): Slices {
  const shape = shapeOf(value);
  if (shape.length !== 2) return positionSlices(value, name);
  const [rows = 0, columns = 0] = shape;
  return limit(1, rows, columns, () =>
    matrix(value, { shape, heads: [(n) => `row ${n}`, (n) => `column ${n}`] }),
  );
}

function limit(slices: number, rows: number, columns: number, sliceAt: (index: number) => Slice): Slices {
  const sizes = { slices, rows, columns };
  const truncated = (["slices", "rows", "columns"] as const)
    .filter((part) => sizes[part] > MAX_DRAWN[part])
    .map((part) => `${MAX_DRAWN[part]} of ${sizes[part]} ${part}`);
  return {
    slices: range(slices, MAX_DRAWN.slices).map(sliceAt),
    truncation: truncated.length === 0 ? "" : `The first ${truncated.join(", ")}.`,
  };
}

/** Returns the rows and columns of a slice with these dimensions. */
function extent(rest: readonly number[]): [height: number, width: number] {
  const [height = 1, ...inner] = rest.length === 1 ? [1, ...rest] : rest;
  return [height, inner.reduce((product, size) => product * size, 1)];
}

interface Matrix {
  readonly shape: readonly number[];
  /** Headings of a row and of a column, by their index. */
  readonly heads: readonly [row: (n: number) => string, column: (n: number) => string];
  /** Indices of the matrix in the tensor. */
  readonly first?: Indices;
  readonly title?: string;
}

function matrix(value: Nested, { shape, heads, first = [], title = "" }: Matrix): Slice {
  const columns = range(shape.at(-1) ?? 1, MAX_DRAWN.columns);
  const names = columns.map((c) => (shape.length === 0 ? "score" : heads[1](c)));
  const cell = (at: Indices): Cell => ({ at: [...first, ...at], value: numberAt(value, at) });
  if (shape.length < 2) {
    const cells = columns.map((c) => cell(shape.length === 0 ? [] : [c]));
    return { title, columns: names, rows: [{ head: "", cells }] };
  }
  const rows = range(shape[0]!, MAX_DRAWN.rows).map((n) => ({
    head: heads[0](n),
    cells: columns.map((c) => cell([n, c])),
  }));
  return { title, columns: names, rows };
}

function list(value: Nested, shape: readonly number[], name: string, row: string): Slice {
  const rows =
    shape.length === 0
      ? [{ head: "", cells: [cellAt(value, [])] }]
      : range(shape[0]!, MAX_DRAWN.rows).map((n) => ({ head: `${row} ${n}`, cells: [cellAt(value, [n])] }));
  return { title: "", columns: [name], rows };
}

/**
 * Lays out the dimensions `rest` of a tensor: one as a row, two as rows and columns, further ones side by side in the
 * columns. `place` adds the other indices.
 */
function grid(value: Nested, place: (at: Indices) => Indices, rest: readonly number[], title: string): Slice {
  const [height, width] = extent(rest);
  const inner = rest.length === 1 ? rest : rest.slice(1);
  const columns = range(width, MAX_DRAWN.columns).map((index) => unravel(index, inner));
  const rows = range(height, MAX_DRAWN.rows).map((y) => ({
    head: rest.length === 1 ? "" : `y ${y}`,
    cells: columns.map((at) => cellAt(value, place(rest.length === 1 ? at : [y, ...at]))),
  }));
  return { title, columns: columns.map((at) => `x ${at.join(", ")}`), rows };
}

/** Converts a row-major index to indices, like NumPy's unravel_index. */
export function unravel(index: number, sizes: readonly number[]): number[] {
  let rest = index;
  return sizes
    .toReversed()
    .map((size) => {
      const last = rest % size;
      rest = Math.floor(rest / size);
      return last;
    })
    .reverse();
}

function cellAt(value: Nested, at: Indices): Cell {
  return { at, value: numberAt(value, at) };
}

function titleOf(samples: number, n: number, rest: string): string {
  return [samples > 1 ? `sample ${n}` : "", rest].filter((part) => part !== "").join(", ");
}

function range(count: number, limit: number): number[] {
  return Array.from({ length: Math.min(count, limit) }, (_, index) => index);
}
