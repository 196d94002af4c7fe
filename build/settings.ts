/** Before `npm start` builds: checks the settings, on its command line and in the environment, and that the ports are free. */
import { createServer } from "node:net";
import { argv, env } from "node:process";
import { readCommand } from "../src/cli/command.ts";
import { UsageError } from "../src/cli/usage.ts";
import { ConfigError, readConfig } from "../src/config/config.ts";
import type { Config } from "../src/config/settings.ts";
import { listenError } from "../src/server/listen.ts";
import { readTokensFile } from "../src/server/tokens-file.ts";
import { UserError } from "../src/user-error.ts";

/** As of the server itself, for a command line that cannot be read. */
const USAGE = 2;

try {
  const command = readCommand(argv.slice(2));
  if (command.name === "serve") await checkSettings(readConfig(env, command.settings));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`lossd: ${error.message}\n`);
  const isUsage = error instanceof UsageError || (error instanceof ConfigError && error.isFlag);
  process.exitCode = isUsage ? USAGE : 1;
}

async function checkSettings(config: Config): Promise<void> {
  if (config.TOKENS_FILE !== "") readTokensFile(config.TOKENS_FILE);
  for (const setting of ["METRICS_PORT", "PORT"] as const)
    if (config[setting] > 0 && (setting !== "PORT" || config.SOCKET === "")) await checkPort(config, setting);
}

/** Listens, and stops again. */
async function checkPort(config: Config, setting: "PORT" | "METRICS_PORT"): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer().once("error", reject);
  server.listen({ host: config.HOST, port: config[setting] }, () => server.close(() => resolve()));
  await promise.catch((error) => {
    throw listenError(error, config, setting) ?? error;
  });
}
