/** Random numbers that repeat for a seed. */

/** Returns numbers in [0, 1) with 32 bits, one at each call (the linear congruence of Numerical Recipes). */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Returns integers from 0 on below the argument of each call. */
export function integers(seed: number): (below: number) => number {
  const random = uniform(seed);
  return (below) => Math.floor(random() * below);
}

/** Returns `count` numbers, about normal. */
export function normals(count: number, seed: number, scale: number): number[] {
  const random = uniform(seed | 1);
  const next = (): number => random() - 0.5;
  return Array.from({ length: count }, () => scale * 2 * (next() + next() + next()));
}
