/**
 * Writes the response of `lossd send --output`. An existing file stays intact until the response is complete, except a file of
 * the shell behind /dev/stdout, to which the response is added.
 */
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { constants, open as openDescriptor, write as writeDescriptor } from "node:fs";
import { access, lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { faultOf, UserError } from "../user-error.ts";
import type { Terminal } from "./terminal.ts";

/** Interval between attempts to open a FIFO without a reader, in milliseconds. */
const POLL_MS = 100;

/** Destination of a response. `keep` or `discard` closes it. */
export interface Output {
  write(piece: Uint8Array): Promise<void>;
  /** Called once the response is complete. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** Opens the path of `--output`. Rejects before the request is sent. */
export async function openOutput(output: string, input: Stats, terminal: Terminal): Promise<Output> {
  const path = resolve(terminal.folder, output);
  const asUserError = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if ((error as Error).name === "AbortError") throw error;
      throw new UserError(`--output ${output}: ${faultOf(error)}`);
    }
  };
  const opened = await asUserError(openPath(path, output, input, terminal));
  return {
    write: (piece) => asUserError(opened.write(piece)),
    keep: () => asUserError(opened.keep()),
    discard: () => opened.discard(),
  };
}

async function openPath(path: string, output: string, input: Stats, terminal: Terminal): Promise<Output> {
  const found = await stat(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    if (await isLink(path)) throw new UserError("expected a file, got a broken link");
    return undefined;
  });
  if (found?.isDirectory() || /(?:^|[/\\])\.{0,2}$/.test(output))
    throw new UserError("expected a file, got a folder");
  if (found === undefined) return fileOutput(join(await folderOf(path, output), basename(path)), undefined);
  if (found.dev === input.dev && found.ino === input.ino) throw new UserError("this is the file to send");
  if (found.isFIFO()) return fifoOutput(path, output, terminal);
  if (!found.isFile()) return deviceOutput(path);
  const descriptor = descriptorOf(path);
  if (descriptor !== undefined) return descriptorOutput(descriptor);
  await access(path, constants.W_OK);
  return fileOutput(await realpath(path), found);
}

/** Returns whether the path is a broken link. */
function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function folderOf(path: string, output: string): Promise<string> {
  return realpath(dirname(path)).catch(() => {
    throw new UserError(`there is no folder ${dirname(output)}`);
  });
}

/** Writes to a temporary file and renames it once it is complete. Keeps mode and, where permitted, owner of an existing file. */
async function fileOutput(path: string, existing: Stats | undefined): Promise<Output> {
  const partial = join(dirname(path), `.lossd-${randomBytes(8).toString("hex")}.part`);
  const file = await open(partial, "wx", existing === undefined ? 0o666 : 0o600);
  if (existing !== undefined) {
    await file.chown(existing.uid, existing.gid).catch(() => {});
    await file.chmod(existing.mode & 0o777).catch(() => {});
  }
  const discard = async (): Promise<void> => {
    await file.close();
    await rm(partial, { force: true });
  };
  const keep = async (): Promise<void> => {
    await file.close();
    await rename(partial, path);
  };
  return { write: (piece) => writeAll(file.fd, piece), keep, discard };
}

/** Returns the descriptor of this process that a path such as /dev/stdout stands for. */
function descriptorOf(path: string): number | undefined {
  if (path === "/dev/stdout") return 1;
  if (path === "/dev/stderr") return 2;
  const [, descriptor] = /^(?:\/dev|\/proc\/self)\/fd\/(\d+)$/.exec(path) ?? [];
  return descriptor === undefined ? undefined : Number(descriptor);
}

/** Writes to a file that the shell has opened, at its place there. A file opened by its path would lose what others wrote. */
function descriptorOutput(descriptor: number): Output {
  const nothing = async (): Promise<void> => {};
  return { write: (piece) => writeAll(descriptor, piece), keep: nothing, discard: nothing };
}

async function deviceOutput(path: string): Promise<Output> {
  const file = await open(path, constants.O_WRONLY);
  const close = () => file.close();
  return {
    write: (piece) => writeAll(file.fd, piece),
    keep: close,
    discard: close,
  };
}

/** Wraps the FIFO in a socket because a blocked file write could not be aborted. */
async function fifoOutput(path: string, output: string, { err, stopped }: Terminal): Promise<Output> {
  const pipe = new Socket({
    fd: await openPipe(path, stopped, () => err(`--output ${output}: waiting for a reader\n`)),
    readable: false,
    writable: true,
    signal: stopped,
  });
  // Ignores the event because the failed write reports the error.
  pipe.on("error", () => {});
  const write = promisify((piece: Uint8Array, done: (error?: Error | null) => void) =>
    pipe.write(piece, done),
  );
  const keep = () => new Promise<void>((done) => pipe.end(done));
  return { write, keep, discard: async () => void pipe.destroy() };
}

/** Opens a FIFO once it has a reader. */
async function openPipe(path: string, signal: AbortSignal, onWait: () => void): Promise<number> {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  for (let looks = 0; ; looks++) {
    try {
      return await promisify(openDescriptor)(path, flags);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
    }
    if (looks === 1) onWait();
    await sleep(POLL_MS, undefined, { signal });
  }
}

const writePart = promisify(writeDescriptor);

async function writeAll(descriptor: number, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await writePart(descriptor, piece, at)).bytesWritten;
}
