/** Starts one server process or a cluster, and stops it at a signal. */
import nodeCluster from "node:cluster";
import { availableParallelism } from "node:os";
import process from "node:process";
import pino from "pino";
import { Registry } from "prom-client";
import type { SettingTexts } from "../config/config.ts";
import { readConfig } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { registerBuild, registerDroppedLines, registerWorkerExits } from "../http/observe/process-metrics.ts";
import { buildAdmin } from "../http/server/admin.ts";
import { toText } from "../http/server/auth.ts";
import { shutDownAdmin } from "../http/server/shutdown.ts";
import { VERSION } from "../version.ts";
import { TokensFile } from "./accepted-tokens.ts";
import { Cluster } from "./cluster.ts";
import { joinCluster } from "./cluster-member.ts";
import { listen } from "./listen.ts";
import { logOutput } from "./log-output.ts";
import { LogStream } from "./log-stream.ts";
import { chooseBudget } from "./memory-budget.ts";
import { limitNewSpace } from "./new-space.ts";
import type { Log } from "./signals.ts";
import { finish, handleSignals } from "./signals.ts";
import { clearSocket } from "./unix-socket.ts";
import { serve } from "./worker.ts";

/** Serves until a signal stops it. */
export async function start(settings: SettingTexts, onFailure: (reason: unknown) => void): Promise<void> {
  const read = readConfig(process.env, settings);
  const log = startLog(read.LOG_LEVEL);
  const workers = read.WORKERS || availableParallelism();
  const budget = chooseBudget(read.MEMORY_BUDGET, workers, process.constrainedMemory());
  if (nodeCluster.isPrimary && budget.notice !== undefined) log.logger.warn(budget.notice);
  const config = { ...read, MEMORY_BUDGET: budget.bytes };
  const port =
    nodeCluster.isPrimary && workers > 1
      ? await startCluster(config, workers, log, onFailure)
      : await startProcess(config, log);
  if (!nodeCluster.isPrimary || port === undefined) return;
  const address = addressOf(config, port);
  log.logger.info(
    { version: VERSION, workers, memory_budget_bytes: config.MEMORY_BUDGET, address },
    "started",
  );
  greet(address, workers);
}

/** Address for clients: a URL or the path of a socket. */
function addressOf({ HOST, SOCKET }: Config, port: number): string {
  if (SOCKET !== "") return SOCKET;
  return `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}`;
}

/** Starts one process and returns its port. Undefined if it is stopped before it listens. */
async function startProcess(config: Config, log: Log): Promise<number | undefined> {
  limitNewSpace();
  const stopping = new AbortController();
  const member = joinCluster();
  // Takes the tokens of the primary because the file may have changed since, and workers must agree.
  const accepted = member ?? new TokensFile(config.TOKENS_FILE);
  const { stream, logger } = log;
  const starting = serve(config, accepted, logger, {
    member,
    stopping: stopping.signal,
    droppedLines: stream.dropped,
  });
  // Handles signals from here on, because the first process of a container loses a signal without a handler.
  const stop = async (): Promise<void> => {
    stopping.abort();
    await (await starting)?.stop();
  };
  const reload = (): void => {
    if (accepted instanceof TokensFile) accepted.reload(logger);
  };
  handleSignals({ stop, reload }, log);
  member?.stopped.then(() => finish(stop, log));
  return (await starting)?.port;
}

/** Greets a user on a terminal. In a container, standard error stays empty. */
function greet(address: string, workers: number): void {
  if (!process.stderr.isTTY) return;
  const processes = workers === 1 ? "one process" : `${workers} processes`;
  process.stderr.write(
    `lossd ${VERSION} listens on ${address} with ${processes}. See ${address.startsWith("http") ? address : ""}/docs for the reference. Ctrl-C stops it.\n`,
  );
}

/** Starts the workers and returns the port once one listens. Can be stopped meanwhile. */
async function startCluster(
  config: Config,
  workers: number,
  log: Log,
  onFailure: (reason: unknown) => void,
): Promise<number> {
  const { logger, stream } = log;
  const registry = new Registry();
  registerBuild(registry);
  registerDroppedLines(registry, stream.dropped);
  const file = new TokensFile(config.TOKENS_FILE);
  const cluster = new Cluster(logger, toText(file.tokens), registry);
  const exits = registerWorkerExits(registry);
  nodeCluster.on("exit", () => {
    if (cluster.phase !== "stopping") exits.inc();
  });
  const page = () => cluster.page();
  const admin =
    config.METRICS_PORT > 0
      ? buildAdmin({ lifecycle: cluster, logger, keepAlive: config.KEEP_ALIVE_S * 1000 }, page)
      : undefined;
  const stop = async (): Promise<void> => {
    await cluster.stop(Math.max(config.DRAIN_LIMIT_MS, config.DRAIN_LAG_MS));
    await shutDownAdmin(admin);
  };
  const reload = (): void => {
    if (file.reload(logger)) cluster.accept(toText(file.tokens));
  };
  handleSignals({ stop, reload, force: () => cluster.kill() }, log);
  cluster.failed.then((reason) => stop().finally(() => onFailure(reason)));
  try {
    if (config.SOCKET !== "") await clearSocket(config.SOCKET);
    if (admin !== undefined) await listen(admin, config, "METRICS_PORT");
    return await cluster.start(workers);
  } catch (error) {
    await stop();
    throw error;
  }
}

function startLog(level: string): Log {
  const stream = new LogStream(logOutput(process.stdout));
  process.on("exit", () => stream.endSync());
  return { logger: pino({ level }, stream), stream };
}
