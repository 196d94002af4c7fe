/** Listens on a Unix socket. Replaces a stale socket file and removes nothing else. */
import cluster from "node:cluster";
import type { Stats } from "node:fs";
import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { FastifyInstance } from "fastify";
import { ConfigError } from "../config/config.ts";

/** Lets owner and group connect. The folder's mode restricts them further. */
const SOCKET_MODE = 0o660;

/** Longest path on Linux in bytes (unix(7), sun_path without its final null). */
const MAX_PATH_BYTES = 107;

/** Listens on a Unix socket and returns 0 as its port. Rejects with {@link ConfigError}. */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<number> {
  // Skips this in a worker because the primary has done it, and the first worker's socket is in use by now.
  if (!cluster.isWorker) await clearSocket(path);
  try {
    await app.listen({ path, listenTextResolver: () => `Server listening at ${path}` });
    // The umask usually prevents the group from connecting.
    chmodSync(path, SOCKET_MODE);
  } catch (error) {
    throw socketFault(path, error);
  }
  return 0;
}

/** Removes a stale socket at `path`. Rejects a socket in use, another kind of file and a path that is too long. */
export async function clearSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw socketError(path, `expected a path of at most ${MAX_PATH_BYTES} bytes`);
  // Other faults are reported by listen.
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw socketError(path, "the existing file is not a socket");
  if (await isListening(path)) throw socketError(path, SOCKET_FAULTS.EADDRINUSE!);
  removeSocket(path, found);
}

function statOf(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Returns whether a server accepts connections, or cannot be reached for another reason. */
function isListening(path: string): Promise<boolean> {
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

/** Removes the socket that was found stale, unless another server that starts has removed or replaced it meanwhile. */
function removeSocket(path: string, stale: Stats): void {
  const aside = `${path}.${process.pid}`;
  try {
    // Takes the name away at once, so that what is removed can be compared with what was found.
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw socketFault(path, error);
  }
  const taken = lstatSync(aside);
  if (taken.ino === stale.ino && taken.mtimeMs === stale.mtimeMs) {
    unlinkSync(aside);
    return;
  }
  renameSync(aside, path);
  throw socketError(path, SOCKET_FAULTS.EADDRINUSE!);
}

/** System errors in terms of the setting. */
const SOCKET_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another server listens on it; choose another path with --socket",
  EACCES: "this user may not create a socket there",
  EROFS: "its folder cannot be written to",
  ENOENT: "another server that starts has removed it; choose another path with --socket",
};

/** Explains a failure in terms of the settings if they are the cause. */
function socketFault(path: string, error: unknown): unknown {
  // libuv reports a missing folder as EACCES.
  const isMissing = !existsSync(dirname(path));
  const fault = isMissing
    ? "its folder does not exist"
    : SOCKET_FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
  return fault === undefined ? error : socketError(path, fault);
}

function socketError(path: string, fault: string): ConfigError {
  return new ConfigError(`SOCKET=${path}: ${fault}`);
}
