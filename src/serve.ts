/** One process that answers requests: its memory, its server, its end. */
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { buildApp } from "./app.ts";
import type { Config } from "./config.ts";
import { ConfigError, flagOf } from "./config.ts";
import type { Membership } from "./group.ts";
import { joinGroup } from "./group.ts";
import { buildAdmin } from "./http/admin.ts";
import { Backlog } from "./http/backlog.ts";
import type { Lifecycle } from "./http/drain.ts";
import { drain } from "./http/drain.ts";
import { Metrics } from "./http/metrics.ts";
import type { Tokens } from "./http/tokens.ts";
import type { Tracing } from "./http/trace.ts";
import { loadKernel } from "./kernel/kernel.ts";
import { readPlayground } from "./pages.ts";
import { Arena } from "./tensor/arena.ts";

/** A server that listens. */
export interface Serving {
  readonly port: number;
  /** Serves on while balancers notice, then closes, and forces what is left. Safe to call again. */
  stop(): Promise<void>;
}

export async function serve(config: Config, tokens: Tokens, logger: Logger): Promise<Serving> {
  const kernel = loadKernel(config.MEMORY_BUDGET);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const backlog = new Backlog(config.WAIT_LIMIT_MS / 1000);
  const lifecycle: Lifecycle = { stopping: false };
  const metrics = new Metrics(arena, backlog);
  const group = joinGroup(metrics.registry);
  const page = () => (group === undefined ? metrics.registry.metrics() : group.page());
  const tracing = await loadTracing(config.OTEL_EXPORTER_OTLP_ENDPOINT, logger);
  const hasOwnPort = config.METRICS_PORT > 0;
  const app = await buildApp({
    engine: { kernel, arena, backlog, bodyLimit: config.BODY_LIMIT, streamLimit: config.STREAM_LIMIT },
    lifecycle,
    logger,
    tokens,
    metrics,
    metricsPage: hasOwnPort ? undefined : page,
    playground: readPlayground(),
    tracing,
  });
  const admin = hasOwnPort && group === undefined ? buildAdmin(page, () => !lifecycle.stopping) : undefined;
  // The port that serves is the last, so that whoever reads the log can ask the other by then.
  if (admin !== undefined) await listen(admin, config, "METRICS_PORT");
  const port = await listen(app, config, "PORT").catch(async (error) => {
    await admin?.close();
    throw error;
  });
  const end = async (): Promise<void> => {
    await drain(app, lifecycle, { lag: config.DRAIN_LAG_MS, limit: config.DRAIN_LIMIT_MS });
    await admin?.close();
    await tracing?.stop();
    group?.leave();
  };
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= end());
  heed(group, stop, logger);
  return { port, stop };
}

/** What keeps a server from listening, in the words of the settings. */
const FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use",
  EACCES: "this user may not listen on the port",
  EADDRNOTAVAIL: "this machine does not have the address",
  ENOTFOUND: "there is no such address",
};

/** Listens on the port of a setting, and gives it. Refuses with {@link ConfigError} where that is the settings' fault. */
export async function listen(
  app: FastifyInstance,
  { HOST: host, ...config }: Config,
  setting: "PORT" | "METRICS_PORT",
): Promise<number> {
  const port = config[setting];
  try {
    await app.listen({ host, port });
  } catch (error) {
    const fault = FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
    if (fault === undefined) throw error;
    throw new ConfigError(`HOST=${host} ${setting}=${port}: ${fault}; --${flagOf(setting)} takes another`);
  }
  return (app.server.address() as AddressInfo).port;
}

async function loadTracing(endpoint: string, logger: Logger): Promise<Tracing | undefined> {
  return endpoint === "" ? undefined : (await import("./http/tracing.ts")).startTracing(endpoint, logger);
}

/** The group's word to stop counts as a signal's. */
function heed(group: Membership | undefined, stop: () => Promise<void>, logger: Logger): void {
  group?.onStop(() => {
    stop().catch((error) => logger.error({ err: error }, "stopping failed"));
  });
}
