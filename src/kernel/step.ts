/** Slices of long work, so that the caller can yield between them. */

/** Works on about `budget` elements and returns true when done. It starts over at the next call, so that a prepared loss can run again. Results are bit-identical for every division. */
export type Step = (budget: number) => boolean;

/** Step with its size. */
export interface SizedStep {
  readonly step: Step;
  readonly elements: number;
}

/** Elements per slice, under five milliseconds on a slow core for the slowest kernel. */
export const SLICE_ELEMENTS = 1 << 18;

/** Runs all steps in order without yielding. */
export function runToEnd(steps: Iterable<Step>): void {
  for (const step of steps) while (!step(SLICE_ELEMENTS));
}

/** Step without elements, which is done at once. */
export function once(work: () => void): Step {
  return () => {
    work();
    return true;
  };
}

/** Step over `count` elements. `work` takes the next `n` of them, from element `at` on, and is called once with n = 0 if there are none. An element may `cost` as much as several. */
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

/** Step that calls `init` before its first slice. */
export function withInit(init: () => void, step: Step): Step {
  let isBegun = false;
  return (budget) => {
    if (!isBegun) init();
    isBegun = !step(budget);
    return !isBegun;
  };
}

/** Runs steps in order as one. `start` is called at the beginning. A generator may read the result of a step when it is asked for the next. Steps of 0 elements cost nothing, so it must not yield many of them. */
export function chain(start: () => Iterator<SizedStep, void>): Step {
  let rest: Iterator<SizedStep, void> | undefined;
  let next: SizedStep | undefined;
  return (budget) => {
    if (rest === undefined) {
      rest = start();
      next = rest.next().value ?? undefined;
    }
    for (let left = budget; next !== undefined; next = rest.next().value ?? undefined) {
      if (left <= 0 || !next.step(left)) return false;
      left -= next.elements;
    }
    rest = undefined;
    return true;
  };
}
