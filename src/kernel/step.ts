/** Long work in slices: the caller decides between two of them whether others run first. */

/** Does about `budget` elements of some work, and returns true when all of it is done. Where it is cut changes no bit of the result. */
export type Step = (budget: number) => boolean;

/** Elements of a slice: under five milliseconds on a slow core, also for the slowest kernel. */
export const SLICE_ELEMENTS = 1 << 18;

/** Does all steps at once, in order. */
export function runToEnd(steps: Iterable<Step>): void {
  for (const step of steps) while (!step(SLICE_ELEMENTS));
}
