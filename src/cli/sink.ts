/** Where `lossd send --output` puts an answer: nothing that is there is lost before the answer is whole. */
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { constants, open as openDescriptor } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { access, lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { faultOf, UserError } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

/** Milliseconds between two looks at whether somebody reads a FIFO. */
const LOOK = 100;

/** A place for bytes, of which `keep` or `discard` is the end. */
export interface Sink {
  write(piece: Uint8Array): Promise<void>;
  /** Once the answer is whole. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** Opens what `--output` names. Refuses before anything is sent. */
export async function openSink(output: string, input: Stats, terminal: Terminal): Promise<Sink> {
  const path = resolve(terminal.folder, output);
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if ((error as Error).name === "AbortError") throw error;
      throw new UserError(`--output ${output}: ${faultOf(error)}`);
    }
  };
  const sink = await told(openPath(path, output, input, terminal));
  return {
    write: (piece) => told(sink.write(piece)),
    keep: () => told(sink.keep()),
    discard: () => sink.discard(),
  };
}

async function openPath(path: string, output: string, input: Stats, terminal: Terminal): Promise<Sink> {
  const found = await stat(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    if (await isLink(path)) throw new UserError("expected a file, got a link to nothing");
    return undefined;
  });
  if (found?.isDirectory() || /[/\\]$/.test(output)) throw new UserError("expected a file, got a folder");
  if (found === undefined) return fileSink(join(await folderOf(path, output), basename(path)), 0o666);
  if (found.dev === input.dev && found.ino === input.ino) throw new UserError("that is the file to send");
  if (found.isFIFO()) return pipeSink(path, output, terminal);
  if (!found.isFile()) return deviceSink(path);
  await access(path, constants.W_OK);
  return fileSink(await realpath(path), found.mode & 0o777);
}

/** Whether a name that leads to nothing is there. */
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

/** A file under a name of its own, which takes the other's place when it is whole. */
async function fileSink(path: string, mode: number): Promise<Sink> {
  const partial = join(dirname(path), `.lossd-${randomBytes(8).toString("hex")}.part`);
  const file = await open(partial, "wx", mode);
  const discard = async (): Promise<void> => {
    await file.close();
    await rm(partial, { force: true });
  };
  const keep = async (): Promise<void> => {
    await file.close();
    await rename(partial, path);
  };
  return { write: (piece) => writeAll(file, piece), keep, discard };
}

async function deviceSink(path: string): Promise<Sink> {
  const file = await open(path, constants.O_WRONLY);
  const close = () => file.close();
  return { write: (piece) => writeAll(file, piece), keep: close, discard: close };
}

/** As a socket: a write to a file that nobody reads could not be given up. */
async function pipeSink(path: string, output: string, { err, stopped }: Terminal): Promise<Sink> {
  const pipe = new Socket({
    fd: await openPipe(path, stopped, () => err(`--output ${output}: waits for a reader\n`)),
    readable: false,
    writable: true,
    signal: stopped,
  });
  // Told by the write that fails.
  pipe.on("error", () => {});
  const write = promisify((piece: Uint8Array, done: (error?: Error | null) => void) =>
    pipe.write(piece, done),
  );
  const keep = () => new Promise<void>((done) => pipe.end(done));
  return { write, keep, discard: async () => void pipe.destroy() };
}

/** Opens a FIFO once somebody reads it. */
async function openPipe(path: string, signal: AbortSignal, onWait: () => void): Promise<number> {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  for (let looks = 0; ; looks++) {
    try {
      return await promisify(openDescriptor)(path, flags);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
    }
    if (looks === 1) onWait();
    await sleep(LOOK, undefined, { signal });
  }
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
}
