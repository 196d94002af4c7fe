/**
 * User errors and suggestions for misspelt names. Kept out of the bundle so that server and commands share one
 * UserError class.
 */
/** Thrown for an error that the user can correct. Its message is printed in one line without a stack. */
export class UserError extends Error {
  override readonly name: string = "UserError";
}

/** Explains a file error. */
export function faultOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const faults: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EACCES: "access to it is denied",
    EISDIR: "expected a file, got a folder",
  };
  return faults[code] ?? message;
}

/** Masks user and password in a URL, also in an invalid one. */
export function withoutUser(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@");
}

/** Joins the words of a choice: `one of a, b and c`. */
export function wordList(words: readonly string[]): string {
  if (words.length === 1) return String(words[0]);
  return `one of ${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Largest edit distance of a suggestion. */
const MAX_EDITS = 2;

/** Returns the most similar of `names` within {@link MAX_EDITS}, or undefined. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = MAX_EDITS + 1;
  for (const other of names) {
    // Compares lengths first because the distance takes the product of both lengths.
    if (Math.abs(other.length - name.length) > MAX_EDITS) continue;
    const distance = editDistance(name, other);
    // Rejects names as short as their distance, because they have nothing in common.
    if (distance >= Math.min(least, other.length, name.length)) continue;
    best = other;
    least = distance;
  }
  return best;
}

/** Computes the Levenshtein distance. */
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
