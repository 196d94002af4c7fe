/** How an axis cuts a row-major tensor into lines: element (o, k, i) lies at (o * length + k) * inner + i. */
export interface Axis {
  /** Positions before the axis, multiplied. */
  readonly outer: number;
  /** Elements along the axis. */
  readonly length: number;
  /** Positions after the axis, multiplied: the stride of the axis; 1 when it is the last. */
  readonly inner: number;
}

/** The layout of `axis` (0 <= axis < rank) in a shape. A 0-dim tensor counts as one line of one element. */
export function axisOf(shape: readonly number[], axis: number): Axis {
  let outer = 1;
  let inner = 1;
  shape.forEach((size, at) => {
    if (at < axis) outer *= size;
    if (at > axis) inner *= size;
  });
  return { outer, length: shape[axis] ?? 1, inner };
}
