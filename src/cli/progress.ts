/** How far long work is: a line that is written over where a person looks, otherwise one every few seconds. */
import type { Terminal } from "./terminal.ts";

const WIDTH = 24;
/** Milliseconds between two lines, for a person and for a file. */
const PACE = { live: 100, quiet: 5000 };

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes as a person reads it. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${UNITS[power]}`;
}

/** Seconds as a person reads them. */
function secondsText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600
    ? `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`
    : `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
}

/** How far a work of many bytes is. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #total: number;
  readonly #begun = performance.now();
  #last: number;
  #isWritten = false;

  /** Work of `total` bytes. */
  constructor(terminal: Terminal, total: number) {
    this.#terminal = terminal;
    this.#total = total;
    this.#last = terminal.isLive ? -Infinity : this.#begun;
  }

  /** Says that `done` bytes are done. */
  update(done: number): void {
    const now = performance.now();
    if (now - this.#last < (this.#terminal.isLive ? PACE.live : PACE.quiet)) return;
    this.#last = now;
    this.#write(done, now);
  }

  /** The last line, which stays. */
  end(done: number): void {
    this.#write(done, performance.now());
    this.leave();
  }

  /** Leaves the last line as it stands. */
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
    const bar = "#".repeat(Math.floor(share * WIDTH)).padEnd(WIDTH, ".");
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    const line = `${percent} %  ${bytesText(done)} of ${bytesText(this.#total)}  ${bytesText(rate)}/s${left}`;
    // "\r" and "clear to the end of the line" write over the line before.
    this.#terminal.err(this.#terminal.isLive ? `\r[${bar}] ${line}\x1b[K` : `${line}\n`);
  }
}
