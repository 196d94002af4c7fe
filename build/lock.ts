/**
 * A lock between processes, as a file whose time its holder renews. It saves work and protects nothing: builds that overlap after all, because one
 * of them was taken for dead, write to folders of their own and are put into place whole.
 */
import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const RENEW_MS = 1000;
/** A holder that has not renewed it for so long is dead. */
const STALE_MS = 10_000;
const POLL_MS = 100;

/** Runs `work` while no other process that asks for the file does. Refuses what the file system refuses: a folder that is read-only. */
export async function withLock<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  while (!take(file)) await sleep(POLL_MS);
  const renewing = setInterval(() => renew(file), RENEW_MS);
  const release = (): void => rmSync(file, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    clearInterval(renewing);
    process.off("exit", release);
    release();
  }
}

function take(file: string): boolean {
  try {
    writeFileSync(file, "", { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (mtimeMs !== undefined && Date.now() - mtimeMs > STALE_MS) rmSync(file, { force: true });
  return false;
}

function renew(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // Somebody has removed it: the work goes on without.
  }
}
