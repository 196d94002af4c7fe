/** Words for people who can mend what is wrong: one line, no stack, nothing secret. Not bundled: the start and the commands share one PlainError. */

/** Thrown for what the person who started the program can mend: its message is told in one line, without a stack. */
export class PlainError extends Error {
  override readonly name: string = "PlainError";
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
