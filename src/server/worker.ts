/** One serving process: memory, HTTP server, shutdown. */
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { originsOf, spansUrl } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { buildApp } from "../http/app.ts";
import type { Tracing } from "../http/context.ts";
import { LoadEstimate } from "../http/limits/load-estimate.ts";
import { MemoryQueue } from "../http/limits/memory-queue.ts";
import { Metrics } from "../http/observe/metrics.ts";
import { registerDroppedLines } from "../http/observe/process-metrics.ts";
import { buildAdmin } from "../http/server/admin.ts";
import type { AcceptedTokens } from "../http/server/auth.ts";
import type { Lifecycle } from "../http/server/shutdown.ts";
import { shutDown, shutDownAdmin } from "../http/server/shutdown.ts";
import type { Build, Kernel } from "../kernel/load.ts";
import { loadKernel } from "../kernel/load.ts";
import { Arena } from "../tensor/arena.ts";
import { UserError } from "../user-error.ts";
import { chooseBuild } from "./build.ts";
import type { ClusterMember } from "./cluster-member.ts";
import { BusyConnections } from "./connection-balance.ts";
import { listenBoth } from "./listen.ts";
import type { DroppedLines } from "./log-stream.ts";
import { readPages } from "./page-files.ts";

/** Running server. */
export interface Serving {
  /** 0 for a Unix socket. */
  readonly port: number;
  /** Serves on while load balancers notice, then closes and forces the rest. Idempotent. */
  stop(): Promise<void>;
}

/** Environment of a serving process. */
export interface ServeOptions {
  /** This worker's side of the cluster, if there is one. */
  readonly member: ClusterMember | undefined;
  /** Aborted if the process must stop before it listens. */
  readonly stopping: AbortSignal;
  readonly droppedLines: DroppedLines;
}

/** Starts a server. Undefined if it is stopped before it listens. */
export async function serve(
  config: Config,
  accepted: AcceptedTokens,
  logger: Logger,
  { member, stopping, droppedLines }: ServeOptions,
): Promise<Serving | undefined> {
  await member?.loadTokens();
  const kernel = allocate(config.MEMORY_BUDGET, chooseBuild(config.WIDE_SIMD === "true"));
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const waitLimit = config.WAIT_LIMIT_MS / 1000;
  const load = new LoadEstimate(waitLimit);
  const lifecycle: Lifecycle = { phase: "starting" };
  const metrics = new Metrics(arena, load);
  registerDroppedLines(metrics.registry, droppedLines);
  member?.share(metrics.registry);
  const page = () => (member === undefined ? metrics.registry.metrics() : member.page());
  const tracing = await loadTracing(spansUrl(config), logger);
  const keepAlive = config.KEEP_ALIVE_S * 1000;
  const busy = new BusyConnections();
  const hasMetricsPort = config.METRICS_PORT > 0;
  const app = await buildApp({
    engine: {
      kernel,
      arena,
      load,
      queue: new MemoryQueue(arena, waitLimit),
      bodyLimit: config.BODY_LIMIT,
      streamLimit: config.STREAM_LIMIT,
      compressResponses: config.COMPRESS_RESPONSES === "true",
    },
    lifecycle,
    logger,
    accepted,
    mustReconnect: member && ((connection) => busy.begin(connection)),
    metrics,
    metricsText: page,
    hasMetricsPort,
    pages: readPages(),
    tracing,
    keepAlive,
    origins: originsOf(config.CORS_ORIGINS),
  });
  const admin =
    hasMetricsPort && member === undefined ? buildAdmin({ lifecycle, logger, keepAlive }, page) : undefined;
  const port = await listenBoth(app, admin, config, stopping);
  if (port === undefined) return void (await finish({ admin, tracing, member }));
  lifecycle.phase = "ready";
  member?.balance(busy);
  const end = async (): Promise<void> => {
    await shutDown(app, lifecycle, { lag: config.DRAIN_LAG_MS, limit: config.DRAIN_LIMIT_MS });
    await finish({ admin, tracing, member });
  };
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= end());
  return { port, stop };
}

/** Loads the kernels with memory of `budget` bytes. Rejects a budget for which the process has no address space. */
function allocate(budget: number, build: Build): Kernel {
  try {
    return loadKernel(budget, build);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`MEMORY_BUDGET=${budget}: the process cannot allocate so much address space`);
  }
}

interface Companions {
  readonly admin: FastifyInstance | undefined;
  readonly tracing: Tracing | undefined;
  readonly member: ClusterMember | undefined;
}

/** Closes everything else that keeps the process alive. */
async function finish({ admin, tracing, member }: Companions): Promise<void> {
  await shutDownAdmin(admin);
  await tracing?.stop();
  member?.leave();
}

async function loadTracing(url: string | undefined, logger: Logger): Promise<Tracing | undefined> {
  return url === undefined
    ? undefined
    : (await import("../http/observe/tracing.ts")).startTracing(url, logger);
}
