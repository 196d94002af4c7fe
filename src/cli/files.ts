/** Reads the files named on the command line. */
import type { Stats } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { readTokenLines } from "../server/tokens-file.ts";
import { faultOf, UserError } from "../user-error.ts";
import { readHeaderLength } from "../wire/safetensors/header.ts";
import type { Terminal } from "./terminal.ts";

/** Reads the first token of a file. */
export async function readToken(file: string | undefined, { folder }: Terminal): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return readTokenLines(await readFile(resolve(folder, file), "utf8"))[0];
  } catch (error) {
    throw new UserError(`--token-file ${file}: ${faultOf(error)}`);
  }
}

/** Resolves the path of the Unix socket. */
export function socketOf({ socket }: { readonly socket: string | undefined }, { folder }: Terminal) {
  return socket === undefined ? undefined : resolve(folder, socket);
}

/** File to upload. */
export interface InputFile {
  readonly path: string;
  readonly stats: Stats;
}

/** Checks a file before the upload. Rejects files that cannot be safetensors. */
export async function checkFile(file: string, { folder }: Terminal): Promise<InputFile> {
  const path = resolve(folder, file);
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw new UserError(`${file}: expected a file`);
    if (stats.size === 0) throw new UserError(`${file}: expected a safetensors file, got an empty one`);
    if (looksLikeJson(await beginningOf(path)))
      throw new UserError(`${file} looks like JSON; lossd send takes safetensors files`);
    return { path, stats };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file}: ${faultOf(error)}`);
  }
}

async function beginningOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Distinguishes JSON from a safetensors header whose length byte happens to be "{", because text yields an impossible
 * header length.
 */
function looksLikeJson(beginning: Buffer): boolean {
  if (!/^(?:\xef\xbb\xbf)?\s*[{[]/.test(beginning.toString("latin1"))) return false;
  try {
    readHeaderLength(beginning, undefined);
    return false;
  } catch {
    return true;
  }
}
