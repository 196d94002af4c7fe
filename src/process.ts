/** The process: arguments and environment, then what they ask for, then signals. The only place that touches `process`, but for main.ts. */
import cluster from "node:cluster";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import pino from "pino";
import { Registry } from "prom-client";
import type { Command, Serve } from "./cli/command.ts";
import { readCommand } from "./cli/command.ts";
import type { Terminal } from "./cli/terminal.ts";
import { UsageError } from "./cli/usage.ts";
import type { Config } from "./config.ts";
import { ConfigError, readConfig } from "./config.ts";
import { Group } from "./group.ts";
import { buildAdmin } from "./http/admin.ts";
import { closeAdmin } from "./http/drain.ts";
import { registerDroppedLines } from "./http/metrics.ts";
import { fromText, toText } from "./http/tokens.ts";
import { LAST_FLUSH_MS, LogSink, logOutput, unblock } from "./log-sink.ts";
import { failInGroup, joinGroup } from "./membership.ts";
import { PlainError } from "./plain.ts";
import type { Circumstances, Serving } from "./serve.ts";
import { listen, loadTokens, serve } from "./serve.ts";
import { clearSocket } from "./socket.ts";
import { VERSION } from "./version.ts";

/** Milliseconds beyond the drain's limit after which a process of a group is ended. */
const MARGIN = 2000;

/** The exit code of a command line that cannot be read. */
const USAGE = 2;

/** The exit codes of what a signal has ended: 128 and its number. */
const SIGNALLED: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Milliseconds within which a second SIGINT is the first one's echo: npm sends on what the terminal has sent to both. */
const ECHO = 250;

/** Does what the command line asks for, unless a signal came while this file was loaded. */
export async function main(early: NodeJS.Signals | undefined): Promise<void> {
  try {
    // Standard error that is full or closed changes nothing either.
    process.stderr.on("error", () => {});
    await runCommand(readCommand(process.argv.slice(2)), early);
  } catch (error) {
    report(error);
  }
}

async function runCommand(command: Command, early: NodeJS.Signals | undefined): Promise<void> {
  if (early !== undefined) process.exit(command.name === "serve" ? 0 : SIGNALLED[early]);
  // The commands beside serve are loaded when they are asked for: the first answer should not wait for them.
  switch (command.name) {
    case "version":
      process.stdout.write(`${VERSION}\n`);
      break;
    case "help":
      process.stdout.write((await import("./cli/help.ts")).helpOf(command.of));
      break;
    case "check":
      await runClient(async () => (await import("./cli/check.ts")).check, command);
      break;
    case "send":
      await runClient(async () => (await import("./cli/send.ts")).send, command);
      break;
    case "serve":
      await serveAll(command);
  }
}

/** One server, or a group of them, until a signal stops it. */
async function serveAll({ settings }: Serve): Promise<void> {
  const config = readConfig(process.env, settings);
  const log = startLog(config.LOG_LEVEL);
  const workers = config.WORKERS || availableParallelism();
  const port =
    cluster.isPrimary && workers > 1 ? await startGroup(config, workers, log) : await startAlone(config, log);
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

/** Calls `stop` at the first SIGTERM or SIGINT. Further ones change nothing, but a person's second SIGINT ends the process at once, after `force`. */
function stopOnSignals(stop: () => Promise<void>, log: Log, force = () => {}): void {
  let isStopping = false;
  let interrupted: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === "SIGINT") {
      interrupted ??= Date.now();
      if (Date.now() - interrupted > ECHO) {
        force();
        process.exit(SIGNALLED.SIGINT);
      }
    }
    if (isStopping) return;
    isStopping = true;
    log.logger.info({ signal }, "stopping");
    const stopAndSay = () => stop().then(() => log.logger.info("stopped"));
    finish(stopAndSay, log);
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
}

/** Stops, then writes the rest of the log. A write that is stuck would keep the process alive. */
async function finish(stop: () => Promise<void>, { logger, sink }: Log): Promise<void> {
  try {
    await stop();
  } catch (error) {
    logger.error({ err: error }, "stopping failed");
    process.exitCode = 1;
  }
  if (!(await sink.end())) process.exit();
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
async function startGroup(config: Config, workers: number, log: Log): Promise<number> {
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
  group.failed.then((reason) => stop().finally(() => report(reason)));
  try {
    if (config.SOCKET !== "") await clearSocket(config.SOCKET);
    if (admin !== undefined) await listen(admin, config, "METRICS_PORT");
    return await group.start(workers);
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Log {
  readonly logger: pino.Logger;
  readonly sink: LogSink;
}

function startLog(level: string): Log {
  const sink = new LogSink(logOutput(process.stdout));
  process.on("exit", () => sink.endSync());
  return { logger: pino({ level }, sink), sink };
}

type Work<T> = (command: T, terminal: Terminal) => Promise<number>;

/** Runs a command that asks a server, to its end. Signals are heard while it is loaded, too. */
async function runClient<T>(load: () => Promise<Work<T>>, command: T): Promise<void> {
  const seen = terminal();
  try {
    const work = await load();
    const code = await work(command, seen);
    process.exitCode ??= code;
  } catch (error) {
    report(error);
  }
  // Without this, what nobody reads any more would keep a stopped command.
  if (seen.stopped.aborted) process.exit();
}

function terminal(): Terminal {
  const { stdout, stderr } = process;
  const stopping = new AbortController();
  const stop = (why: string, code: number): void => {
    process.exitCode ||= code;
    stopping.abort(new PlainError(why));
  };
  // Who reads no further, as `head` does, has seen enough.
  stdout.on("error", ({ message }) => stop(`standard output: ${message}`, 1));
  for (const [signal, code] of Object.entries(SIGNALLED))
    process.once(signal, () => stop(`stopped by ${signal}`, code));
  return {
    out: async (text) => {
      if (stdout.write(text)) return;
      await once(stdout, "drain", { signal: stopping.signal }).catch(() => {});
    },
    err: (text) => void stderr.write(text),
    isLive: stderr.isTTY === true,
    stopped: stopping.signal,
    folder: folderOfPerson(process.env),
  };
}

/** Where relative names begin: npm runs this package's scripts in the package's folder, and tells where the person is. */
function folderOfPerson({ npm_lifecycle_event, npm_package_name, INIT_CWD }: NodeJS.ProcessEnv): string {
  const isScript = npm_lifecycle_event !== undefined && npm_package_name === "lossd";
  return isScript && INIT_CWD !== undefined ? INIT_CWD : process.cwd();
}

/** One line for what a person can mend, the stack for what is our fault. */
function report(error: unknown): void {
  const { message, stack } = error as Error;
  const isPlain = error instanceof PlainError;
  if (isPlain && failInGroup(message)) return;
  unblock(process.stderr);
  process.stderr.write(`lossd: ${isPlain ? message : stack}\n`);
  const isUsage = error instanceof UsageError || (error instanceof ConfigError && error.isFlag);
  process.exitCode ??= isUsage ? USAGE : 1;
  // Writes to standard output or error that are stuck would keep the process alive.
  setTimeout(() => process.exit(), LAST_FLUSH_MS).unref();
}
