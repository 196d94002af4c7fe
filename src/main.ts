/** The process: environment, server, signals. The only place that touches `process`. */
import { readFileSync } from "node:fs";
import pino from "pino";
import { buildApp } from "./app.ts";
import { ConfigError, readConfig } from "./config.ts";
import type { Lifecycle } from "./http/drain.ts";
import { drain } from "./http/drain.ts";
import type { Tokens } from "./http/tokens.ts";
import { readTokens } from "./http/tokens.ts";
import { loadKernel } from "./kernel/kernel.ts";
import { Arena } from "./tensor/arena.ts";

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = startLog(config.LOG_LEVEL);
  const kernel = loadKernel(config.MEMORY_BUDGET);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const lifecycle: Lifecycle = { stopping: false };
  const engine = { kernel, arena, bodyLimit: config.BODY_LIMIT, streamLimit: config.STREAM_LIMIT };
  const tokens = config.TOKENS_FILE === "" ? [] : loadTokens(config.TOKENS_FILE);
  const app = await buildApp({ engine, lifecycle, logger, tokens });

  const stop = (signal: string): void => {
    if (lifecycle.stopping) return;
    logger.info({ signal }, "stopping");
    drain(app, lifecycle, { lag: config.DRAIN_LAG_MS, limit: config.DRAIN_LIMIT_MS }).then(
      () => {
        logger.info("stopped");
        logger.flush();
      },
      (error) => {
        logger.error({ err: error }, "stopping failed");
        process.exitCode = 1;
      },
    );
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
  await app.listen({ host: config.HOST, port: config.PORT });
}

/** The tokens of a file. An empty one would let everybody in, so it is refused. */
function loadTokens(file: string): Tokens {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`TOKENS_FILE=${file}: ${(error as Error).message}`);
  }
  const tokens = readTokens(text);
  if (tokens.length === 0) throw new ConfigError(`TOKENS_FILE=${file}: expected a token a line, got none`);
  return tokens;
}

/** One write to standard output for many lines: a line waits for 12 KiB or a tenth of a second. */
function startLog(level: string): pino.Logger {
  const logger = pino({ level }, pino.destination({ sync: false, minLength: 12_288 }));
  setInterval(() => logger.flush(), 100).unref();
  return logger;
}

main().catch((error: unknown) => {
  process.stderr.write(`lossd: ${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
});
