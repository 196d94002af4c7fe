/** The end of the build: a new folder takes the place of the old one, whole. */
import { chmodSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const ATTEMPTS = 10;

/**
 * Renames `fresh` to `place`. A server that runs from there and replaces a process meanwhile finds the old files or the new ones, never some of
 * each. Where two do so at once, both succeed, and the last one stays.
 */
export function swapFolder(fresh: string, place: string): void {
  const old = `${fresh}.old`;
  for (let attempt = 1; ; attempt++) {
    // A folder cannot be renamed onto one that is not empty.
    renameIfThere(place, old);
    try {
      renameSync(fresh, place);
      break;
    } catch (error) {
      if (attempt === ATTEMPTS || !isTaken(error)) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

/** Gives files and folders the modes that every user can read them with, whatever the umask and the modes of the sources are. */
export function setModes(folder: string, programs: readonly string[]): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  for (const program of programs) chmodSync(join(folder, program), 0o755);
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function isTaken(error: unknown): boolean {
  return ["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "");
}
