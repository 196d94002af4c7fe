/** Starts one server process, or a cluster of them, and stops it at a signal. */
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import process from "node:process";
import pino from "pino";
import { Registry } from "prom-client";
import type { Config, SettingTexts } from "../config.ts";
import { readConfig } from "../config.ts";
import { registerDroppedLines } from "../http/observe/metrics.ts";
import { buildAdmin } from "../http/server/admin.ts";
import { fromText, toText } from "../http/server/auth.ts";
import { closeAdmin } from "../http/server/shutdown.ts";
import { VERSION } from "../version.ts";
import { Group } from "./cluster.ts";
import { joinGroup } from "./cluster-member.ts";
import { clearSocket, listen } from "./listen.ts";
import { LogSink, logOutput } from "./log-stream.ts";
import type { Log } from "./signals.ts";
import { finish, stopOnSignals } from "./signals.ts";
import type { Circumstances, Serving } from "./worker.ts";
import { loadTokens, serve } from "./worker.ts";

/** Milliseconds beyond the drain's limit after which a process of a group is ended. */
const MARGIN = 2000;

/** One server, or a group of them, until a signal stops it. */
export async function start(settings: SettingTexts, onFailure: (reason: unknown) => void): Promise<void> {
  const config = readConfig(process.env, settings);
  const log = startLog(config.LOG_LEVEL);
  const workers = config.WORKERS || availableParallelism();
  const port =
    cluster.isPrimary && workers > 1
      ? await startGroup(config, workers, log, onFailure)
      : await startAlone(config, log);
  if (cluster.isPrimary && port !== undefined) greet(config, port, workers);
}

/** Starts one process that serves; its port, unless it is stopped before it listens. */
async function startAlone(config: Config, log: Log): Promise<number | undefined> {
  const stopping = new AbortController();
  const group = joinGroup();
  const starting = openServer(config, log, { group, stopping: stopping.signal });
  // Heard from here on: the first process of a container loses a signal that has no handler.
  const stop = async (): Promise<void> => {
    stopping.abort();
    await (await starting)?.stop();
  };
  stopOnSignals(stop, log);
  group?.stopped.then(() => finish(stop, log));
  return (await starting)?.port;
}

async function openServer(
  config: Config,
  { logger, sink }: Log,
  { group, stopping }: Pick<Circumstances, "group" | "stopping">,
): Promise<Serving | undefined> {
  // The file may have changed since the others were started, and they would not agree on who is let in.
  const tokens = group === undefined ? loadTokens(config.TOKENS_FILE) : fromText(await group.tokens());
  return await serve(config, tokens, logger, { group, stopping, droppedLines: sink.dropped });
}

/** For a person who started it; in a container, standard error stays empty and the log alone tells. */
function greet({ HOST, SOCKET }: Config, port: number, workers: number): void {
  if (!process.stderr.isTTY) return;
  const host = HOST.includes(":") ? `[${HOST}]` : HOST;
  const address = SOCKET === "" ? `http://${host}:${port}` : SOCKET;
  const processes = workers === 1 ? "one process" : `${workers} processes`;
  process.stderr.write(
    `lossd ${VERSION} answers on ${address}, with ${processes}; ${SOCKET === "" ? `${address}/docs` : "/docs"} explains it. Ctrl-C stops it.\n`,
  );
}

/** Starts the processes; the port, once one of them listens. It can be stopped meanwhile. */
async function startGroup(
  config: Config,
  workers: number,
  log: Log,
  onFailure: (reason: unknown) => void,
): Promise<number> {
  const { logger, sink } = log;
  const registry = new Registry();
  registerDroppedLines(registry, sink.dropped);
  const group = new Group(logger, toText(loadTokens(config.TOKENS_FILE)), registry);
  const page = () => group.page();
  const admin =
    config.METRICS_PORT > 0
      ? buildAdmin({ lifecycle: group, logger, keepAlive: config.KEEP_ALIVE_S * 1000 }, page)
      : undefined;
  const stop = async (): Promise<void> => {
    await group.stop(Math.max(config.DRAIN_LIMIT_MS, config.DRAIN_LAG_MS) + MARGIN);
    await closeAdmin(admin);
  };
  stopOnSignals(stop, log, () => group.kill());
  group.failed.then((reason) => stop().finally(() => onFailure(reason)));
  try {
    if (config.SOCKET !== "") await clearSocket(config.SOCKET);
    if (admin !== undefined) await listen(admin, config, "METRICS_PORT");
    return await group.start(workers);
  } catch (error) {
    await stop();
    throw error;
  }
}

function startLog(level: string): Log {
  const sink = new LogSink(logOutput(process.stdout));
  process.on("exit", () => sink.endSync());
  return { logger: pino({ level }, sink), sink };
}
