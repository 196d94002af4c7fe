/** Prints upload progress. A terminal gets one line that is overwritten, a file gets a line every few seconds. */
import type { Terminal } from "./terminal.ts";

const BAR_CHARS = 24;
/** Intervals between two lines, in milliseconds. */
const INTERVAL_MS = { live: 100, quiet: 5000 };

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Formats a byte count. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${UNITS[power]}`;
}

/** Formats a duration. */
function secondsText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600
    ? `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`
    : `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
}

/** Progress of one upload. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #total: number;
  readonly #begun = performance.now();
  #last: number;
  #isWritten = false;

  /** Expects `total` bytes in all. */
  constructor(terminal: Terminal, total: number) {
    this.#terminal = terminal;
    this.#total = total;
    this.#last = terminal.isLive ? -Infinity : this.#begun;
  }

  /** Reports that `done` bytes have been sent. */
  update(done: number): void {
    const now = performance.now();
    if (now - this.#last < (this.#terminal.isLive ? INTERVAL_MS.live : INTERVAL_MS.quiet)) return;
    this.#last = now;
    this.#write(done, now);
  }

  /** Prints the final line. */
  end(done: number): void {
    this.#write(done, performance.now());
    this.leave();
  }

  /** Ends the current line. */
  leave(): void {
    if (this.#terminal.isLive && this.#isWritten) this.#terminal.err("\n");
    this.#isWritten = false;
  }

  #write(done: number, now: number): void {
    this.#isWritten = true;
    const seconds = (now - this.#begun) / 1000;
    const share = this.#total === 0 ? 1 : done / this.#total;
    const rate = seconds > 0 ? done / seconds : 0;
    const left = done < this.#total && rate > 0 ? `  ${secondsText((this.#total - done) / rate)} left` : "";
    const bar = "#".repeat(Math.floor(share * BAR_CHARS)).padEnd(BAR_CHARS, ".");
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    const line = `${percent} %  ${bytesText(done)} of ${bytesText(this.#total)}  ${bytesText(rate)}/s${left}`;
    // "\r" and "erase to end of line" overwrite the previous line.
    this.#terminal.err(this.#terminal.isLive ? `\r[${bar}] ${line}\x1b[K` : `${line}\n`);
  }
}
