/**
 * Log stream to an output that may be full, blocked or closed. Logging never blocks, throws, grows or keeps the process
 * alive.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { LogOutput } from "./log-output.ts";

/** Bytes of lines that may wait. Further lines are dropped. */
const BUFFER_BYTES = 1024 * 1024;

/** Interval between flushes, which lets one write take many lines. */
const FLUSH_MS = 100;

/** Interval between retries of a blocked write. 64 KiB in that time exceed the lines of one process. */
const RETRY_MS = 10;

/** Timeout of the last flush, in milliseconds. */
export const LAST_FLUSH_MS = 1000;

/** Dropped lines by reason. */
export type DroppedLines = Record<"buffer_full" | "write_error", number>;

/**
 * Buffers lines as bytes and writes them in order, one write at a time. Replaces pino's own destination (sonic-boom)
 * because that blocks a thread at exit, retries every error without end in its last flush, and loses lines uncounted
 * after EPIPE. Lines kept as strings took 3 % of a small request's processor time, because each collection of garbage
 * copied them.
 */
export class LogStream {
  readonly dropped: DroppedLines = { buffer_full: 0, write_error: 0 };
  readonly #output: LogOutput;
  /** Lines up to `#filled`, from which no write has taken any. */
  #filling = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #filled = 0;
  /** Buffer of the lines that are being written, and those of them that no write has. */
  #writing = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #unwritten = NOTHING;
  /** Bytes of the current write, and the time of its start or of its last progress. */
  #underWay = 0;
  #since = 0;
  #isFlushing = false;
  /** Whether the last flush ended without the rest of the buffer. */
  #hasGivenUp = false;
  /** Whether the last write ended within a line. */
  #isTorn = false;

  constructor(output: LogOutput) {
    this.#output = output;
    setInterval(() => this.flush(), FLUSH_MS).unref();
  }

  /** Buffers one line, which ends with a newline. */
  write(line: string): void {
    const free = BUFFER_BYTES - this.#waiting - this.#underWay;
    // Counts the bytes only if three for each character, the most in UTF-8, do not fit.
    if (3 * line.length > free && Buffer.byteLength(line) > free) {
      this.dropped.buffer_full++;
      return;
    }
    this.#filled += this.#filling.write(line, this.#filled);
    // Writes the lines before this one, which fill a write.
    if (this.#filled > this.#output.size) this.#writeNext();
  }

  /** Writes the buffer now. */
  flush(): void {
    this.#isFlushing = true;
    this.#writeNext();
  }

  /** Writes the buffer within {@link LAST_FLUSH_MS}. */
  async end(): Promise<void> {
    const begun = this.#underWay > 0 ? this.#since : performance.now();
    while (this.#waiting + this.#underWay > 0 && performance.now() < begun + LAST_FLUSH_MS) {
      this.flush();
      await sleep(5);
    }
    this.#hasGivenUp = this.#waiting + this.#underWay > 0;
  }

  /** Writes the buffer after the event loop has ended, within {@link LAST_FLUSH_MS}. */
  endSync(): void {
    const end = performance.now() + LAST_FLUSH_MS;
    let bytes = Buffer.concat([this.#unwritten, this.#filling.subarray(0, this.#filled)]);
    this.#unwritten = NOTHING;
    this.#filled = 0;
    while (bytes.length > 0 && !this.#hasGivenUp) {
      try {
        bytes = bytes.subarray(this.#output.writeSync(bytes.subarray(0, this.#output.size)));
      } catch (error) {
        this.#hasGivenUp = !isBlocked(error) || performance.now() >= end;
        if (!this.#hasGivenUp) pause(RETRY_MS);
      }
    }
  }

  /** Bytes that no write has. */
  get #waiting(): number {
    return this.#unwritten.length + this.#filled;
  }

  #writeNext(): void {
    if (this.#underWay > 0) return;
    if (this.#unwritten.length === 0) this.#takeFilled();
    const { length } = this.#unwritten;
    if (length === 0) return;
    const { size, takesAll } = this.#output;
    const end = takesAll ? length : endOfPiece(this.#unwritten, 0, size);
    const piece = this.#unwritten.subarray(0, end);
    this.#unwritten = this.#unwritten.subarray(end);
    this.#since = performance.now();
    this.#send(this.#isTorn ? Buffer.concat([Buffer.of(NEWLINE), piece]) : piece);
  }

  /** Exchanges the buffers, and keeps the last piece for more lines unless all are flushed. */
  #takeFilled(): void {
    const lines = this.#filling.subarray(0, this.#filled);
    const end = this.#isFlushing ? lines.length : startOfLastPiece(lines, this.#output.size);
    this.#isFlushing = false;
    if (end === 0) return;
    [this.#filling, this.#writing] = [this.#writing, this.#filling];
    this.#filled = lines.copy(this.#filling, 0, end);
    this.#unwritten = lines.subarray(0, end);
  }

  #send(bytes: Buffer): void {
    this.#underWay = bytes.length;
    this.#output.write(bytes, (error, written) => {
      if (isBlocked(error)) return void setTimeout(() => this.#send(bytes), RETRY_MS).unref();
      if (error !== null) this.dropped.write_error += linesOf(bytes);
      else {
        this.#isTorn = bytes[written - 1] !== NEWLINE;
        this.#since = performance.now();
        if (written < bytes.length) return this.#send(bytes.subarray(written));
      }
      this.#underWay = 0;
      this.#writeNext();
    });
  }
}

const NOTHING = Buffer.alloc(0);
const NEWLINE = 10;

/** Returns the end of the lines from `start` on that fit a write of `size` bytes, but of one line at least. */
function endOfPiece(lines: Buffer, start: number, size: number): number {
  if (lines.length - start <= size) return lines.length;
  const end = lines.lastIndexOf(NEWLINE, start + size - 1) + 1;
  return end > start ? end : lines.indexOf(NEWLINE, start + size) + 1;
}

function startOfLastPiece(lines: Buffer, size: number): number {
  let start = 0;
  for (let end = 0; end < lines.length; ) {
    start = end;
    end = endOfPiece(lines, start, size);
  }
  return start;
}

/** Counts the lines that end in these bytes. A newline at the start only ends a line that has been written. */
function linesOf(bytes: Buffer): number {
  let lines = 0;
  for (let at = 1; at < bytes.length; at++) if (bytes[at] === NEWLINE) lines++;
  return lines;
}

function isBlocked(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === "EAGAIN";
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
