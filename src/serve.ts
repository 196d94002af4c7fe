/** One process that answers requests: its memory, its server, its end. */
import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { buildApp } from "./app.ts";
import type { Config } from "./config.ts";
import { ConfigError, originsOf, spansUrl } from "./config.ts";
import { buildAdmin } from "./http/admin.ts";
import { Backlog } from "./http/backlog.ts";
import type { Lifecycle } from "./http/drain.ts";
import { closeAdmin, drain } from "./http/drain.ts";
import { Metrics, registerDroppedLines } from "./http/metrics.ts";
import type { Tokens } from "./http/tokens.ts";
import { readTokens } from "./http/tokens.ts";
import type { Tracing } from "./http/trace.ts";
import { loadKernel } from "./kernel/kernel.ts";
import { listenError } from "./listen.ts";
import type { DroppedLines } from "./log-sink.ts";
import type { Membership } from "./membership.ts";
import { readPages } from "./pages.ts";
import { faultOf } from "./plain.ts";
import { clearSocket, shareSocket, socketFault } from "./socket.ts";
import { Arena } from "./tensor/arena.ts";

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
  const backlog = new Backlog(config.WAIT_LIMIT_MS / 1000);
  const lifecycle: Lifecycle = { phase: "starting" };
  const metrics = new Metrics(arena, backlog);
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
      backlog,
      bodyLimit: config.BODY_LIMIT,
      streamLimit: config.STREAM_LIMIT,
      compressAnswers: config.COMPRESS_ANSWERS === "true",
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

/** The port that serves is the last, so that whoever reads the log can ask the other by then. */
async function listenBoth(
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

async function loadTracing(url: string | undefined, logger: Logger): Promise<Tracing | undefined> {
  return url === undefined ? undefined : (await import("./http/tracing.ts")).startTracing(url, logger);
}

/** The tokens of a file, none where no file is named. An empty one would let everybody in, so it is refused. */
export function loadTokens(file: string): Tokens {
  if (file === "") return [];
  try {
    return readTokens(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`TOKENS_FILE=${file}: ${faultOf(error)}`);
  }
}
