/** Why a server cannot listen where its settings say. */
import type { Config } from "./config.ts";
import { ConfigError, flagOf } from "./config.ts";

/** The system's errors in the words of the settings, and whether another host or another port mends it. */
const FAULTS: Readonly<Record<string, readonly [fault: string, of: "host" | "port"]>> = {
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
  const known = FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
  if (known === undefined) return undefined;
  const [fault, of] = known;
  const flag = flagOf(of === "host" ? "HOST" : setting);
  return new ConfigError(`HOST=${host} ${setting}=${config[setting]}: ${fault}; --${flag} takes another`);
}
