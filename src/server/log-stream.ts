/** The destination of the log: standard output, which may be full, blocked or closed. Logging never blocks, throws, grows or keeps the process alive. */
import { constants, openSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Characters of lines (nearly all are one byte) that wait for standard output; further lines are dropped. */
const BUFFER_CHARS = 1024 * 1024;

/** Linux writes so many bytes to a pipe as a whole or not at all (pipe(7), PIPE_BUF), so lines of several processes never mix. */
const PIPE_BYTES = 4096;

/** Bytes of one write to a file or a device. */
const FILE_BYTES = 16 * 1024;

/** Milliseconds for which a line waits for others, so that one write takes many. */
const FLUSH_MS = 100;

/** Milliseconds before a write to a full pipe or a stopped terminal is tried again: 64 KiB in that time are more lines than a process has. */
const RETRY_MS = 10;

/** Milliseconds after which the last flush gives up. */
export const LAST_FLUSH_MS = 1000;

/** Lines that were dropped, by reason: the buffer was full, or the write failed. */
export type DroppedLines = Record<"buffer_full" | "write_error", number>;

type Written = (error: NodeJS.ErrnoException | null, bytes: number) => void;

/** A descriptor that never blocks. */
export interface LogOutput {
  /** Bytes of one write; a longer line is written alone. */
  readonly size: number;
  write(bytes: Buffer, done: Written): void;
  writeSync(bytes: Buffer): number;
}

/**
 * Collects lines and writes them in order, one write at a time. pino's own destination (sonic-boom) is not used: it blocks a thread that
 * `exit` waits for, its flush at exit retries every error without end, and after EPIPE it swallows lines uncounted.
 */
export class LogSink {
  readonly dropped: DroppedLines = { buffer_full: 0, write_error: 0 };
  readonly #output: LogOutput;
  /** Lines that wait, in pieces of one write each. */
  readonly #pieces: string[] = [];
  #waiting = 0;
  /** Bytes under way, 0 if there are none, and when the first of them was tried. */
  #underWay = 0;
  #since = 0;
  #isFlushing = false;
  #hasGivenUp = false;
  /** Whether the last byte written was in the middle of a line, whose rest was dropped. */
  #isTorn = false;

  constructor(output: LogOutput) {
    this.#output = output;
    setInterval(() => this.flush(), FLUSH_MS).unref();
  }

  /** Takes one line, which ends with a newline. */
  write(line: string): void {
    if (this.#waiting + this.#underWay + line.length > BUFFER_CHARS) {
      this.dropped.buffer_full++;
      return;
    }
    this.#waiting += line.length;
    const last = this.#pieces.length - 1;
    if (last >= 0 && this.#pieces[last]!.length + line.length <= this.#output.size)
      this.#pieces[last] += line;
    else {
      this.#pieces.push(line);
      // The piece before it is complete.
      if (last >= 0) this.#writeNext();
    }
  }

  /** Writes what waits now. */
  flush(): void {
    this.#isFlushing = this.#pieces.length > 0;
    this.#writeNext();
  }

  /** Writes what waits, for a second at most. False where lines are left: then a write is stuck, which would keep the process alive. */
  async end(): Promise<boolean> {
    const begun = this.#underWay > 0 ? this.#since : Date.now();
    while (this.#waiting + this.#underWay > 0 && Date.now() < begun + LAST_FLUSH_MS) {
      this.flush();
      await sleep(5);
    }
    this.#hasGivenUp = this.#waiting + this.#underWay > 0;
    return !this.#hasGivenUp;
  }

  /** Writes what waits when the event loop has ended, for a second at most. */
  endSync(): void {
    const end = Date.now() + LAST_FLUSH_MS;
    let bytes = Buffer.from(this.#pieces.splice(0).join(""));
    while (bytes.length > 0 && !this.#hasGivenUp) {
      try {
        bytes = bytes.subarray(this.#output.writeSync(bytes.subarray(0, this.#output.size)));
      } catch (error) {
        this.#hasGivenUp = !isBlocked(error) || Date.now() >= end;
        if (!this.#hasGivenUp) pause(RETRY_MS);
      }
    }
  }

  #writeNext(): void {
    const isComplete = this.#pieces.length > 1 || this.#isFlushing;
    if (this.#underWay > 0 || !isComplete) return;
    const piece = this.#pieces.shift();
    if (piece === undefined) {
      this.#isFlushing = false;
      return;
    }
    this.#waiting -= piece.length;
    this.#since = Date.now();
    this.#send(Buffer.from(this.#isTorn ? `\n${piece}` : piece));
  }

  #send(bytes: Buffer): void {
    this.#underWay = bytes.length;
    this.#output.write(bytes, (error, written) => {
      if (isBlocked(error)) return void setTimeout(() => this.#send(bytes), RETRY_MS).unref();
      if (error !== null) this.dropped.write_error += linesOf(bytes);
      else {
        this.#isTorn = bytes[written - 1] !== NEWLINE;
        this.#since = Date.now();
        if (written < bytes.length) return this.#send(bytes.subarray(written));
      }
      this.#underWay = 0;
      this.#writeNext();
    });
  }
}

const NEWLINE = 10;

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
 * Standard output without a write that could block: a blocked thread outlives `exit`, so SIGTERM would not end the process. Whether a
 * descriptor blocks is a property of what all processes share that have inherited it, and Node sets it back when one of them ends.
 */
export function logOutput(stdout: StandardStream): LogOutput {
  // Regular files and devices do not block. Node would write to them in the event loop's thread.
  const { fd } = stdout;
  if (!(stdout instanceof Socket)) return fileOutput(fd);
  const own = reopen(fd);
  return own === undefined ? sharedOutput(stdout) : ownOutput(own);
}

/** Standard output or standard error. */
type StandardStream = NodeJS.WriteStream & { readonly fd: number };

/** A pipe or a terminal under a descriptor that no other process shares. Undefined for a socket, which cannot be opened, and where /proc is missing. */
function reopen(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

/** Writes 4 KiB in the time that handing them to another thread would take. */
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
  return { size: PIPE_BYTES, write, writeSync: (bytes) => writeSync(fd, bytes) };
}

function sharedOutput(stdout: StandardStream): LogOutput {
  // Each write is told its error, too.
  stdout.on("error", () => {});
  return {
    size: PIPE_BYTES,
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
    write: (bytes, done) => write(fd, bytes, done),
    writeSync: (bytes) => writeSync(fd, bytes),
  };
}

/** Makes the next write to a pipe, socket or terminal one that does not block. Only libuv's handle can do that. */
export function unblock(stream: StandardStream): void {
  const { _handle: handle } = stream as {
    readonly _handle?: { setBlocking?: (isBlocking: boolean) => void };
  };
  handle?.setBlocking?.(false);
}
