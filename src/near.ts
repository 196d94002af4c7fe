/** What was probably meant by a name that does not exist. */

/** How many letters may differ. */
const MOST = 2;

/** The name that differs least from `name`, in at most two letters; undefined where none does. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = MOST + 1;
  for (const other of names) {
    // The quick look keeps a long name from costing its length times another's.
    if (Math.abs(other.length - name.length) > MOST) continue;
    const distance = editDistance(name, other);
    // Names that are as short as their difference have nothing in common.
    if (distance >= Math.min(least, other.length, name.length)) continue;
    best = other;
    least = distance;
  }
  return best;
}

/** Levenshtein's distance: letters put in, left out or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
