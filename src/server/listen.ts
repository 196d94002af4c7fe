/**
 * Listens on a TCP port or a Unix socket and explains failures in terms of the settings. Replaces a stale socket file
 * and removes nothing else.
 */
import cluster from "node:cluster";
import type { Stats } from "node:fs";
import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { FastifyInstance } from "fastify";
import type { Config } from "../config.ts";
import { ConfigError, flagOf } from "../config.ts";
import { shutDownAdmin } from "../http/server/shutdown.ts";

/** System errors in terms of the settings, with the setting that corrects them. */
const PORT_FAULTS: Readonly<Record<string, readonly [fault: string, of: "host" | "port"]>> = {
  EADDRINUSE: ["the port is in use", "port"],
  EACCES: ["this user may not listen on the port", "port"],
  EADDRNOTAVAIL: ["this machine does not have the address", "host"],
  ENOTFOUND: ["there is no such address", "host"],
};

/** Explains a failure to listen on `setting`. Undefined if the settings are not the cause. */
export function listenError(
  error: unknown,
  { HOST: host, ...config }: Config,
  setting: "PORT" | "METRICS_PORT",
): ConfigError | undefined {
  const known = PORT_FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
  if (known === undefined) return undefined;
  const [fault, of] = known;
  const flag = flagOf(of === "host" ? "HOST" : setting);
  return new ConfigError(`HOST=${host} ${setting}=${config[setting]}: ${fault}; --${flag} takes another`);
}

/** Lets owner and group connect. The folder's mode restricts them further. */
const SOCKET_MODE = 0o660;

/** Longest path on Linux in bytes (unix(7), sun_path without its final null). */
const MAX_PATH_BYTES = 107;

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

/** Lets the group connect because the umask usually prevents it. */
function shareSocket(path: string): void {
  chmodSync(path, SOCKET_MODE);
}

const SOCKET_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another server listens on it; --socket takes another",
  EACCES: "this user may not create a socket there",
  EROFS: "its folder cannot be written to",
  ENOENT: "another server that starts has removed it; --socket takes another",
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

/** Listens on the serving port last, so that its log line implies that the other port is ready. */
export async function listenBoth(
  app: FastifyInstance,
  admin: FastifyInstance | undefined,
  config: Config,
  stopping: AbortSignal,
): Promise<number | undefined> {
  if (admin !== undefined) await listen(admin, config, "METRICS_PORT");
  if (stopping.aborted) return undefined;
  try {
    return config.SOCKET === "" ? await listen(app, config, "PORT") : await listenLocally(app, config.SOCKET);
  } catch (error) {
    await shutDownAdmin(admin);
    throw error;
  }
}

/** Listens on a Unix socket and returns 0 as its port. Rejects with {@link ConfigError}. */
async function listenLocally(app: FastifyInstance, path: string): Promise<number> {
  // Skips this in a worker because the primary has done it, and the first worker's socket is in use by now.
  if (!cluster.isWorker) await clearSocket(path);
  try {
    await app.listen({ path, listenTextResolver: () => `Server listening at ${path}` });
    shareSocket(path);
  } catch (error) {
    throw socketFault(path, error);
  }
  return 0;
}

/** Listens on the port of a setting and returns it. Rejects with the error of {@link listenError}. */
export async function listen(
  app: FastifyInstance,
  config: Config,
  setting: "PORT" | "METRICS_PORT",
): Promise<number> {
  const { HOST: host, [setting]: port } = config;
  try {
    // Uses another text for the metrics port, so that log readers find the serving port.
    const name = setting === "PORT" ? "Server listening" : "Metrics and health";
    await app.listen({ host, port, listenTextResolver: (address) => `${name} at ${address}` });
  } catch (error) {
    throw listenError(error, config, setting) ?? error;
  }
  return (app.server.address() as AddressInfo).port;
}
