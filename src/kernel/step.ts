/** Slices of long work, so that the caller can yield between them. */

/** Works on about `budget` elements and returns true when done. Results are bit-identical for every division. */
export type Step = (budget: number) => boolean;

/** Begins a step at its first element. */
export type BeginStep = () => Step;

/** Elements per slice, under five milliseconds on a slow core for the slowest kernel. */
export const SLICE_ELEMENTS = 1 << 18;

/** Runs all steps in order without yielding. */
export function runToEnd(steps: Iterable<Step>): void {
  for (const step of steps) while (!step(SLICE_ELEMENTS));
}

/** Runs steps one after another as one step. Takes each from the iterable after the one before has ended. */
export function chain(steps: Iterable<Step>): Step {
  const iterator = steps[Symbol.iterator]();
  let next = iterator.next();
  return (budget) => {
    if (!next.done && next.value(budget)) next = iterator.next();
    return next.done === true;
  };
}
