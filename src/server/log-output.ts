/** Standard output for the log: descriptors whose writes never block. */
import { constants, openSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";

/** Linux writes up to PIPE_BUF bytes to a pipe atomically (pipe(7)), so lines of several workers never mix. */
const PIPE_BYTES = 4096;

/** Bytes per write to a file or device, each of which wakes a thread. With 16 KiB, small requests took 3 % more processor time. */
const FILE_BYTES = 64 * 1024;

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

/** Standard output or standard error. */
type StandardStream = NodeJS.WriteStream & { readonly fd: number };

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
