/** A step from the input to the loss and its gradient, and the cells that each of its cells comes from. */

import type { Indices, Slices } from "../tensors/slices.ts";
import type { Heat } from "./colors.ts";

/** A cell of a step. */
export interface CellRef {
  readonly step: string;
  readonly at: Indices;
}

/** Adds a column with the sum of each row, or a row with the sum of each column. */
export interface Sums {
  readonly of: "rows" | "columns";
  /** Returns the sum of the line through a cell, with the numbers that are not drawn. */
  sumAt(at: Indices): number;
}

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  /** Words on the arrow from the step before. Without them, there is no arrow. */
  readonly arrow?: string;
  /** Without it, the table has no colors. */
  readonly heat?: Heat;
  readonly slices: Slices;
  readonly sums?: Sums;
  /** Whether the cells edit the field of the request that has the step's name. */
  readonly isEditable?: boolean;
  /** Draws the only cell as a large number. */
  readonly isNumber?: boolean;
  /** Returns true if the cell's class is the target of its position. */
  isPicked?(at: Indices): boolean;
  /** Returns the position of a cell: its indices without the class. Cells of one position are a row. */
  positionOf?(at: Indices): Indices;
  /** Returns the cells of earlier steps that a cell is computed from. May leave out what is not drawn. */
  sourcesOf?(at: Indices): readonly CellRef[];
  explain(at: Indices): string;
}

/** Returns the drawn cells of a step. */
export function cellsOf({ id, slices }: Step): CellRef[] {
  return slices.slices.flatMap(({ rows }) =>
    rows.flatMap(({ cells }) => cells.map(({ at }) => ({ step: id, at }))),
  );
}

/** Returns a cell, and the cells that it comes from through all steps, each once. */
export function lineageOf(steps: readonly Step[], cell: CellRef): CellRef[] {
  const found = new Map<string, CellRef>();
  const visit = (one: CellRef): void => {
    const key = keyOf(one);
    if (found.has(key)) return;
    found.set(key, one);
    for (const source of steps.find(({ id }) => id === one.step)?.sourcesOf?.(one.at) ?? []) visit(source);
  };
  visit(cell);
  return [...found.values()];
}

/** Returns the drawn cells of all steps at the position of a cell, none if it has no position. */
export function rowOf(steps: readonly Step[], cell: CellRef): CellRef[] {
  const position = steps
    .find(({ id }) => id === cell.step)
    ?.positionOf?.(cell.at)
    .join();
  if (position === undefined) return [];
  return steps.flatMap((step) => cellsOf(step).filter(({ at }) => step.positionOf?.(at).join() === position));
}

/** Names a cell: `softmax:0,1`. */
export function keyOf({ step, at }: CellRef): string {
  return `${step}:${at.join()}`;
}
