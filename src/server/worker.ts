/** One process that answers requests: its memory, its server, its end. */
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { originsOf, spansUrl } from "../config.ts";
import { buildApp } from "../http/app.ts";
import type { Tracing } from "../http/context.ts";
import { LoadEstimate } from "../http/limits/load-estimate.ts";
import { Metrics, registerDroppedLines } from "../http/observe/metrics.ts";
import { buildAdmin } from "../http/server/admin.ts";
import type { Tokens } from "../http/server/auth.ts";
import { digestTokens } from "../http/server/auth.ts";
import type { Lifecycle } from "../http/server/shutdown.ts";
import { closeAdmin, drain } from "../http/server/shutdown.ts";
import { loadKernel } from "../kernel/kernel.ts";
import { Arena } from "../tensor/arena.ts";
import type { Membership } from "./cluster-member.ts";
import { listenBoth } from "./listen.ts";
import type { DroppedLines } from "./log-stream.ts";
import { readPages } from "./page-files.ts";
import { readTokensFile } from "./tokens-file.ts";

/** A server that listens. */
export interface Serving {
  /** 0 where it listens on a Unix socket. */
  readonly port: number;
  /** Serves on while balancers notice, then closes, and forces what is left. Safe to call again. */
  stop(): Promise<void>;
}

/** What a process starts in. */
export interface Circumstances {
  /** The group that the process belongs to, if it does. */
  readonly group: Membership | undefined;
  /** Aborted when the process shall end before it has begun. */
  readonly stopping: AbortSignal;
  readonly droppedLines: DroppedLines;
}

/** Starts one. Undefined where it shall end before it listens. */
export async function serve(
  config: Config,
  tokens: Tokens,
  logger: Logger,
  { group, stopping, droppedLines }: Circumstances,
): Promise<Serving | undefined> {
  const kernel = loadKernel(config.MEMORY_BUDGET);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const load = new LoadEstimate(config.WAIT_LIMIT_MS / 1000);
  const lifecycle: Lifecycle = { phase: "starting" };
  const metrics = new Metrics(arena, load);
  registerDroppedLines(metrics.registry, droppedLines);
  group?.share(metrics.registry);
  const page = () => (group === undefined ? metrics.registry.metrics() : group.page());
  const tracing = await loadTracing(spansUrl(config), logger);
  const keepAlive = config.KEEP_ALIVE_S * 1000;
  const hasOwnPort = config.METRICS_PORT > 0;
  const app = await buildApp({
    engine: {
      kernel,
      arena,
      load,
      bodyLimit: config.BODY_LIMIT,
      streamLimit: config.STREAM_LIMIT,
      compressResponses: config.COMPRESS_ANSWERS === "true",
    },
    lifecycle,
    logger,
    tokens,
    metrics,
    metricsPage: hasOwnPort ? undefined : page,
    metricsText: page,
    pages: readPages(),
    tracing,
    keepAlive,
    origins: originsOf(config.CORS_ORIGINS),
  });
  const admin =
    hasOwnPort && group === undefined ? buildAdmin({ lifecycle, logger, keepAlive }, page) : undefined;
  const port = await listenBoth(app, admin, config, stopping);
  if (port === undefined) return void (await finish({ admin, tracing, group }));
  lifecycle.phase = "ready";
  const end = async (): Promise<void> => {
    await drain(app, lifecycle, { lag: config.DRAIN_LAG_MS, limit: config.DRAIN_LIMIT_MS });
    await finish({ admin, tracing, group });
  };
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= end());
  return { port, stop };
}

interface Companions {
  readonly admin: FastifyInstance | undefined;
  readonly tracing: Tracing | undefined;
  readonly group: Membership | undefined;
}

/** Ends what else keeps the process alive. */
async function finish({ admin, tracing, group }: Companions): Promise<void> {
  await closeAdmin(admin);
  await tracing?.stop();
  group?.leave();
}

async function loadTracing(url: string | undefined, logger: Logger): Promise<Tracing | undefined> {
  return url === undefined
    ? undefined
    : (await import("../http/observe/tracing.ts")).startTracing(url, logger);
}

/** The tokens of a file, none where no file is named. An empty one would let everybody in, so it is refused. */
export function loadTokens(file: string): Tokens {
  return file === "" ? [] : digestTokens(readTokensFile(file));
}
