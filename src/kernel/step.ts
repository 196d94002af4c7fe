/** Slices of long work, so that the caller can yield between them. */

/** Works on about `budget` elements and returns true when done. The next call begins again. Results are bit-identical for every division. */
export type Step = (budget: number) => boolean;

/** Step with its size. */
export interface Work {
  readonly step: Step;
  readonly elements: number;
}

/** Elements per slice, under five milliseconds on a slow core for the slowest kernel. */
export const SLICE_ELEMENTS = 1 << 18;

/** Runs all steps in order without yielding. */
export function runToEnd(steps: Iterable<Step>): void {
  for (const step of steps) while (!step(SLICE_ELEMENTS));
}

/** Step over `count` elements. `work` takes the next `n` of them, from element `at` on. An element may `cost` as much as several. */
export function sliced(count: number, work: (at: number, n: number) => void, cost = 1): Step {
  let at = 0;
  return (budget) => {
    const n = Math.min(Math.ceil(budget / cost), count - at);
    work(at, n);
    at += n;
    if (at < count) return false;
    at = 0;
    return true;
  };
}

/** Step that calls `begin` before its first slice. */
export function begun(begin: () => void, step: Step): Step {
  let isBegun = false;
  return (budget) => {
    if (!isBegun) begin();
    isBegun = !step(budget);
    return !isBegun;
  };
}

/** Runs works in order as one step. A generator may read the result of a work when it is asked for the next. */
export function chain(begin: () => Iterator<Work, void>): Step {
  let works: Iterator<Work> | undefined;
  let work: Work | undefined;
  return (budget) => {
    if (works === undefined) {
      works = begin();
      work = works.next().value ?? undefined;
    }
    for (let left = budget; work !== undefined; work = works.next().value ?? undefined) {
      if (left <= 0 || !work.step(left)) return false;
      left -= work.elements;
    }
    works = undefined;
    return true;
  };
}
