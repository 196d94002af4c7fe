/** Listens on a TCP port or a Unix socket, and reports failures in the words of the settings. A stale socket file is replaced; nothing else is removed. */
import cluster from "node:cluster";
import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { FastifyInstance } from "fastify";
import type { Config } from "../config.ts";
import { ConfigError, flagOf } from "../config.ts";
import { closeAdmin } from "../http/server/shutdown.ts";

/** The system's errors in the words of the settings, and whether another host or another port mends it. */
const PORT_FAULTS: Readonly<Record<string, readonly [fault: string, of: "host" | "port"]>> = {
  EADDRINUSE: ["the port is in use", "port"],
  EACCES: ["this user may not listen on the port", "port"],
  EADDRNOTAVAIL: ["this machine does not have the address", "host"],
  ENOTFOUND: ["there is no such address", "host"],
};

/** The error of listening on the port of `setting` as one of the settings; undefined where it is none of theirs. */
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
function shareSocket(path: string): void {
  chmodSync(path, MODE);
}

const SOCKET_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another server listens on it; --socket takes another",
  EACCES: "this user may not make a socket there",
  EROFS: "its folder cannot be written to",
};

/** A failure to listen in the words of the settings, where it is theirs. */
function socketFault(path: string, error: unknown): unknown {
  // libuv says EACCES of a missing folder, too.
  const isMissing = !existsSync(dirname(path));
  const fault = isMissing
    ? "its folder does not exist"
    : SOCKET_FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
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

/** The port that serves is the last, so that whoever reads the log can ask the other by then. */
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
    await closeAdmin(admin);
    throw error;
  }
}

/** Listens on a Unix socket, which has no port: 0. Refuses with {@link ConfigError} where it cannot be made. */
async function listenLocally(app: FastifyInstance, path: string): Promise<number> {
  // In a group, the process that starts the others has done it: to its second process the first one's socket would be a living one.
  if (!cluster.isWorker) await clearSocket(path);
  try {
    await app.listen({ path, listenTextResolver: () => `Server listening at ${path}` });
    shareSocket(path);
  } catch (error) {
    throw socketFault(path, error);
  }
  return 0;
}

/** Listens on the port of a setting, and gives it. Refuses with {@link listenError}'s where that is the settings' fault. */
export async function listen(
  app: FastifyInstance,
  config: Config,
  setting: "PORT" | "METRICS_PORT",
): Promise<number> {
  const { HOST: host, [setting]: port } = config;
  try {
    // Who reads the log for the port that serves does not want the other.
    const name = setting === "PORT" ? "Server listening" : "Metrics and health";
    await app.listen({ host, port, listenTextResolver: (address) => `${name} at ${address}` });
  } catch (error) {
    throw listenError(error, config, setting) ?? error;
  }
  return (app.server.address() as AddressInfo).port;
}
