/** Listens on the ports or the Unix socket of the settings, and explains failures in terms of the settings. */
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { ConfigError, flagOf } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { shutDownAdmin } from "../http/server/shutdown.ts";
import { listenOnSocket } from "./unix-socket.ts";

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
    return config.SOCKET === ""
      ? await listen(app, config, "PORT")
      : await listenOnSocket(app, config.SOCKET);
  } catch (error) {
    await shutDownAdmin(admin);
    throw error;
  }
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
  return new ConfigError(
    `HOST=${host} ${setting}=${config[setting]}: ${fault}; choose another with --${flag}`,
  );
}
