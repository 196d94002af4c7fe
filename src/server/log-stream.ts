/**
 * Log stream to standard output, which may be full, blocked or closed. Logging never blocks, throws, grows or keeps the
 * process alive.
 */
import { constants, openSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Bytes of lines that may wait. Further lines are dropped. */
const BUFFER_BYTES = 1024 * 1024;

/** Linux writes up to PIPE_BUF bytes to a pipe atomically (pipe(7)), so lines of several workers never mix. */
const PIPE_BYTES = 4096;

/** Bytes per write to a file or device, each of which wakes a thread. With 16 KiB, small requests took 3 % more processor time. */
const FILE_BYTES = 64 * 1024;

/** Interval between flushes, which lets one write take many lines. */
const FLUSH_MS = 100;

/** Interval between retries of a blocked write. 64 KiB in that time exceed the lines of one process. */
const RETRY_MS = 10;

/** Timeout of the last flush, in milliseconds. */
export const LAST_FLUSH_MS = 1000;

/** Dropped lines by reason. */
export type DroppedLines = Record<"buffer_full" | "write_error", number>;

type Written = (error: NodeJS.ErrnoException | null, bytes: number) => void;

/** File descriptor that never blocks. */
export interface LogOutput {
  /** Bytes of lines that are enough for a write. A longer line is written alone. */
  readonly size: number;
  /** Whether a write takes all that waits, as a file's should under load, where each write waits for a turn of the event loop. */
  readonly takesAll: boolean;
  write(bytes: Buffer, done: Written): void;
  writeSync(bytes: Buffer): number;
}

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
  /** Bytes of the current write, and the time of its first attempt. */
  #underWay = 0;
  #since = 0;
  #isFlushing = false;
  #hasTimedOut = false;
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
    this.#hasTimedOut = this.#waiting + this.#underWay > 0;
  }

  /** Writes the buffer after the event loop has ended, within {@link LAST_FLUSH_MS}. */
  endSync(): void {
    const end = performance.now() + LAST_FLUSH_MS;
    let bytes = Buffer.concat([this.#unwritten, this.#filling.subarray(0, this.#filled)]);
    this.#unwritten = NOTHING;
    this.#filled = 0;
    while (bytes.length > 0 && !this.#hasTimedOut) {
      try {
        bytes = bytes.subarray(this.#output.writeSync(bytes.subarray(0, this.#output.size)));
      } catch (error) {
        this.#hasTimedOut = !isBlocked(error) || performance.now() >= end;
        if (!this.#hasTimedOut) pause(RETRY_MS);
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

function linesOf(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === NEWLINE) lines++;
  return lines;
}

function isBlocked(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === "EAGAIN";
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * Returns an output whose writes cannot block, because a blocked thread outlives `exit` and SIGTERM would not end the
 * process. All processes with the same open file share its blocking mode, and Node resets the mode when one of them
 * exits.
 */
export function logOutput(stdout: StandardStream): LogOutput {
  // Writes regular files and devices in the thread pool because Node would block the event loop.
  const { fd } = stdout;
  if (!(stdout instanceof Socket)) return fileOutput(fd);
  const own = reopen(fd);
  return own === undefined ? sharedOutput(stdout) : ownOutput(own);
}

/** Standard output or standard error. */
type StandardStream = NodeJS.WriteStream & { readonly fd: number };

/** Reopens a pipe or terminal under a descriptor of this process alone. Undefined for a socket and without /proc. */
function reopen(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

/** Writes synchronously because 4 KiB take no longer than a handover to another thread. */
function ownOutput(fd: number): LogOutput {
  const write: LogOutput["write"] = (bytes, done) => {
    let written: number;
    try {
      written = writeSync(fd, bytes);
    } catch (error) {
      return done(error as NodeJS.ErrnoException, 0);
    }
    done(null, written);
  };
  return { size: PIPE_BYTES, takesAll: false, write, writeSync: (bytes) => writeSync(fd, bytes) };
}

function sharedOutput(stdout: StandardStream): LogOutput {
  // Ignores the event because each write gets its error, too.
  stdout.on("error", () => {});
  return {
    size: PIPE_BYTES,
    takesAll: false,
    write: (bytes, done) => {
      unblock(stdout);
      stdout.write(bytes, (error) => (error == null ? done(null, bytes.length) : done(error, 0)));
    },
    writeSync: (bytes) => {
      unblock(stdout);
      return writeSync(stdout.fd, bytes);
    },
  };
}

function fileOutput(fd: number): LogOutput {
  return {
    size: FILE_BYTES,
    takesAll: true,
    write: (bytes, done) => write(fd, bytes, done),
    writeSync: (bytes) => writeSync(fd, bytes),
  };
}

/** Makes the next write to a pipe, socket or terminal non-blocking. Only libuv's handle can do that. */
export function unblock(stream: StandardStream): void {
  const { _handle: handle } = stream as {
    readonly _handle?: { setBlocking?: (isBlocking: boolean) => void };
  };
  handle?.setBlocking?.(false);
}
