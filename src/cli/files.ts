/** The files that a command reads. */
import type { Stats } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { faultOf, UserError } from "../errors.ts";
import { readTokenLines } from "../server/tokens-file.ts";
import { readHeaderLength } from "../wire/safetensors/header.ts";
import type { Terminal } from "./terminal.ts";

/** The first token of a file. */
export async function readToken(file: string | undefined, { folder }: Terminal): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return readTokenLines(await readFile(resolve(folder, file), "utf8"))[0];
  } catch (error) {
    throw new UserError(`--token-file ${file}: ${faultOf(error)}`);
  }
}

/** The path of the Unix socket that a command connects to. */
export function socketOf({ socket }: { readonly socket: string | undefined }, { folder }: Terminal) {
  return socket === undefined ? undefined : resolve(folder, socket);
}

/** A file that is to be sent. */
export interface Input {
  readonly path: string;
  readonly about: Stats;
}

/** Looks at a file before it is sent. Refuses what cannot be a safetensors file. */
export async function lookAt(file: string, { folder }: Terminal): Promise<Input> {
  const path = resolve(folder, file);
  try {
    const about = await stat(path);
    if (!about.isFile()) throw new UserError(`${file}: expected a file`);
    if (about.size === 0) throw new UserError(`${file}: expected a safetensors file, got an empty one`);
    if (looksLikeJson(await beginningOf(path)))
      throw new UserError(`${file} looks like JSON; lossd send takes safetensors files`);
    return { path, about };
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

/** A header of 123 bytes begins with "{", too; but text gives a length that no header has. */
function looksLikeJson(beginning: Buffer): boolean {
  if (!/^(?:\xef\xbb\xbf)?\s*[{[]/.test(beginning.toString("latin1"))) return false;
  try {
    readHeaderLength(beginning, undefined);
    return false;
  } catch {
    return true;
  }
}
