/** The process: environment, server, signals. The only place that touches `process`. */
import pino from "pino";
import { buildApp } from "./app.ts";
import { ConfigError, readConfig } from "./config.ts";
import type { Lifecycle } from "./http/drain.ts";
import { drain } from "./http/drain.ts";
import { loadKernel } from "./kernel/kernel.ts";
import { Arena } from "./tensor/arena.ts";

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = pino({ level: config.LOG_LEVEL }, pino.destination({ sync: false }));
  const kernel = loadKernel(config.MEMORY_BUDGET);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const lifecycle: Lifecycle = { stopping: false };
  const app = await buildApp({ engine: { kernel, arena, bodyLimit: config.BODY_LIMIT }, lifecycle, logger });

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

main().catch((error: unknown) => {
  process.stderr.write(`lossd: ${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
});
