/** Measures speed: the best of many runs for one contender, alternating rounds for several. */

/** Contender whose speed is compared. */
export interface Contender {
  readonly name: string;
  /** Works for about `time` milliseconds; returns the milliseconds per unit of work. */
  measure(time: number): number | Promise<number>;
}

/** Results of one contender in alternating rounds. */
export interface Timing {
  readonly name: string;
  /** Median over the rounds, in milliseconds per unit of work. */
  readonly median: number;
  /** Milliseconds per unit of work in each round. */
  readonly rounds: readonly number[];
}

export interface Rounds {
  readonly rounds: number;
  /** Milliseconds for each contender in each round. */
  readonly time: number;
}

/** Shortest sample, so that the clock's resolution (5 microseconds at worst) does not matter. */
const SAMPLE_MS = 0.25;

/** Alternates the contenders and compares within each round, so that a slow phase of the machine affects all. */
export async function alternate(
  contenders: readonly Contender[],
  { rounds, time }: Rounds,
): Promise<readonly Timing[]> {
  const times: number[][] = contenders.map(() => []);
  for (const contender of contenders) await contender.measure(time);
  for (let round = 0; round < rounds; round++) {
    for (const [at, contender] of contenders.entries()) times[at]!.push(await contender.measure(time));
  }
  return contenders.map(({ name }, at) => ({ name, rounds: times[at]!, median: median(times[at]!) }));
}

/** Median, lowest and highest of the rounds' ratios. */
export interface Ratio {
  readonly value: number;
  readonly range: readonly [low: number, high: number];
}

/** Ratio of the speed of `ours` to `theirs`. */
export function speedRatio(ours: Timing, theirs: Timing): Ratio {
  const ratios = ours.rounds.map((time, round) => theirs.rounds[round]! / time);
  return { value: median(ratios), range: [Math.min(...ratios), Math.max(...ratios)] };
}

/** Milliseconds of the fastest run of `work` among those that fit into `time` milliseconds. */
export function fastest(work: () => void, time: number): number {
  const end = performance.now() + time;
  let best = Number.POSITIVE_INFINITY;
  let repeats = 1;
  do {
    const start = performance.now();
    for (let k = 0; k < repeats; k++) work();
    const spent = performance.now() - start;
    best = Math.min(best, spent / repeats);
    if (spent < SAMPLE_MS) repeats *= 2;
  } while (performance.now() < end);
  return best;
}

/** Median of a list. */
export function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Uniform numbers in [0, 1) with 53 bits, the same in every run. */
export function uniform(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const high = state >>> 5;
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (high * 2 ** 26 + (state >>> 6)) / 2 ** 53;
  };
}
