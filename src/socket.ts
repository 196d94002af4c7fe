/** A Unix socket to listen on. The file of a server that has ended is in the way of the next one; nothing else is removed. */
import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { ConfigError } from "./config.ts";

/** Its owner and its group may connect; a folder bounds that further. */
const MODE = 0o660;

/** Bytes of a path that Linux takes (unix(7), sun_path, without the byte that ends it). */
const MAX_PATH_BYTES = 107;

/** Makes way for a server at `path`: removes a socket on which nobody listens. Refuses a living one, another file, and a path that is too long. */
export async function clearSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw refused(path, `expected a path of at most ${MAX_PATH_BYTES} bytes`);
  // Another fault than a missing file is told when the server listens.
  const found = look(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw refused(path, "the file that is there is no socket");
  if (await isHeard(path)) throw refused(path, "another server listens on it; --socket takes another");
  unlinkSync(path);
}

/** Lets the group connect, which the process's umask usually does not. */
export function shareSocket(path: string): void {
  chmodSync(path, MODE);
}

const FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another server listens on it; --socket takes another",
  EACCES: "this user may not make a socket there",
  EROFS: "its folder cannot be written to",
};

/** A failure to listen in the words of the settings, where it is theirs. */
export function socketFault(path: string, error: unknown): unknown {
  // libuv says EACCES of a missing folder, too.
  const isMissing = !existsSync(dirname(path));
  const fault = isMissing ? "its folder does not exist" : FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
  return fault === undefined ? error : refused(path, fault);
}

function refused(path: string, fault: string): ConfigError {
  return new ConfigError(`SOCKET=${path}: ${fault}`);
}

function look(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whether a server accepts connections, or cannot be asked. */
function isHeard(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== "ECONNREFUSED" && code !== "ENOENT"),
    );
  });
}
