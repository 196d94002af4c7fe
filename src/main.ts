/** The process: environment, then one server or a group of them, then signals. The only place that touches `process`. */
import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import pino from "pino";
import type { Config } from "./config.ts";
import { ConfigError, readConfig } from "./config.ts";
import { Group } from "./group.ts";
import { buildAdmin } from "./http/admin.ts";
import type { Tokens } from "./http/tokens.ts";
import { readTokens } from "./http/tokens.ts";
import { serve } from "./serve.ts";

/** Milliseconds beyond the drain's limit after which a process of a group is ended. */
const PATIENCE = 2000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const tokens = config.TOKENS_FILE === "" ? [] : loadTokens(config.TOKENS_FILE);
  const logger = startLog(config.LOG_LEVEL);
  const workers = config.WORKERS || availableParallelism();
  const stop =
    cluster.isPrimary && workers > 1
      ? await startGroup(config, workers, logger)
      : (await serve(config, tokens, logger)).stop;
  const onSignal = (signal: string): void => {
    logger.info({ signal }, "stopping");
    stop().then(
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
  process.once("SIGTERM", onSignal).once("SIGINT", onSignal);
}

async function startGroup(
  config: Config,
  workers: number,
  logger: pino.Logger,
): Promise<() => Promise<void>> {
  const group = new Group(workers, logger);
  const admin =
    config.METRICS_PORT > 0
      ? buildAdmin(
          () => group.page(),
          () => group.isReady,
        )
      : undefined;
  await admin?.listen({ host: config.HOST, port: config.METRICS_PORT });
  return async () => {
    await group.stop(Math.max(config.DRAIN_LIMIT_MS, config.DRAIN_LAG_MS) + PATIENCE);
    await admin?.close();
  };
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
  let isFlushing = false;
  // One at a time: where nobody reads, flushes would pile up.
  const flush = (): void => {
    if (isFlushing) return;
    isFlushing = true;
    logger.flush(() => {
      isFlushing = false;
    });
  };
  setInterval(flush, 100).unref();
  return logger;
}

main().catch((error: unknown) => {
  process.stderr.write(`lossd: ${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
});
