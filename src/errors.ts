/** Errors that the person who started the program can correct, told in one line, and suggestions for misspelt names. Not bundled: the server and the commands share one UserError. */
/** Thrown for what the person who started the program can mend: its message is told in one line, without a stack. */
export class UserError extends Error {
  override readonly name: string = "UserError";
}

/** What is wrong with a file, for people: the system's fault in words, or a message that is one. */
export function faultOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const faults: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EACCES: "access to it is denied",
    EISDIR: "expected a file, got a folder",
  };
  return faults[code] ?? message;
}

/** An address as it may be shown: without the user and password before its host, also where it is none. */
export function withoutUser(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@");
}

/** The words of a choice: `one of a, b and c`. */
export function wordList(words: readonly string[]): string {
  if (words.length === 1) return String(words[0]);
  return `one of ${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

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
