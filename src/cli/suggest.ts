/** What was probably meant by a word that is not known. */

/** Letters to change, add or leave out. */
const NEAR = 2;

/** The word of `known` that is nearest to `word`, where one is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const near = known
    .map((other) => ({ other, steps: distance(word, other) }))
    .filter(({ other, steps }) => steps <= NEAR && steps < other.length - 1)
    .sort((a, b) => a.steps - b.steps);
  return near[0]?.other;
}

/** The letters to change, add or leave out between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
