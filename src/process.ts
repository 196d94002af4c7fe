/** The process: arguments and environment, then what they ask for, then signals. The only place that touches `process`, but for main.ts. */
import cluster from "node:cluster";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import pino from "pino";
import type { Command, Serve } from "./cli/command.ts";
import { readCommand } from "./cli/command.ts";
import type { Terminal } from "./cli/terminal.ts";
import { UsageError } from "./cli/usage.ts";
import type { Config } from "./config.ts";
import { ConfigError, readConfig } from "./config.ts";
import { Group } from "./group.ts";
import { buildAdmin } from "./http/admin.ts";
import { closeAdmin } from "./http/drain.ts";
import type { Tokens } from "./http/tokens.ts";
import { fromText, readTokens, toText } from "./http/tokens.ts";
import { failInGroup, joinGroup } from "./membership.ts";
import { faultOf, PlainError } from "./plain.ts";
import type { Serving } from "./serve.ts";
import { listen, serve } from "./serve.ts";
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
  const logger = startLog(config.LOG_LEVEL);
  const workers = config.WORKERS || availableParallelism();
  const port =
    cluster.isPrimary && workers > 1
      ? await startGroup(config, workers, logger)
      : await startAlone(config, logger);
  if (cluster.isPrimary && port !== undefined) greet(config.HOST, port, workers);
}

/** Starts one process that serves; its port, unless it is stopped before it listens. */
async function startAlone(config: Config, logger: pino.Logger): Promise<number | undefined> {
  const stopping = new AbortController();
  const starting = openServer(config, logger, stopping.signal);
  // Heard from here on: the first process of a container loses a signal that has no handler.
  const stop = async (): Promise<void> => {
    stopping.abort();
    await (await starting)?.stop();
  };
  stopOnSignals(stop, logger);
  return (await starting)?.port;
}

async function openServer(
  config: Config,
  logger: pino.Logger,
  stopping: AbortSignal,
): Promise<Serving | undefined> {
  const group = joinGroup();
  // The file may have changed since the others were started, and they would not agree on who is let in.
  const tokens = group === undefined ? loadTokens(config.TOKENS_FILE) : fromText(await group.tokens());
  return await serve(config, tokens, logger, { group, stopping });
}

/** Calls `stop` at the first SIGTERM or SIGINT. Further ones change nothing, but a person's second SIGINT ends the process at once, after `force`. */
function stopOnSignals(stop: () => Promise<void>, logger: pino.Logger, force = () => {}): void {
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
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
}

/** For a person who started it; in a container, standard error stays empty and the log alone tells. */
function greet(host: string, port: number, workers: number): void {
  if (!process.stderr.isTTY) return;
  const address = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const processes = workers === 1 ? "one process" : `${workers} processes`;
  process.stderr.write(
    `lossd ${VERSION} answers on ${address}, with ${processes}; ${address}/docs explains it. Ctrl-C stops it.\n`,
  );
}

/** Starts the processes; the port, once one of them listens. It can be stopped meanwhile. */
async function startGroup(config: Config, workers: number, logger: pino.Logger): Promise<number> {
  const group = new Group(logger, toText(loadTokens(config.TOKENS_FILE)));
  const page = () => group.page();
  const admin = config.METRICS_PORT > 0 ? buildAdmin({ lifecycle: group, logger }, page) : undefined;
  const stop = async (): Promise<void> => {
    await group.stop(Math.max(config.DRAIN_LIMIT_MS, config.DRAIN_LAG_MS) + MARGIN);
    await closeAdmin(admin);
  };
  stopOnSignals(stop, logger, () => group.kill());
  group.failed.then((reason) => stop().finally(() => report(reason)));
  try {
    if (admin !== undefined) await listen(admin, config, "METRICS_PORT");
    return await group.start(workers);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The tokens of a file, none where no file is named. An empty one would let everybody in, so it is refused. */
function loadTokens(file: string): Tokens {
  if (file === "") return [];
  try {
    return readTokens(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`TOKENS_FILE=${file}: ${faultOf(error)}`);
  }
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
  process.stderr.write(`lossd: ${isPlain ? message : stack}\n`);
  const isUsage = error instanceof UsageError || (error instanceof ConfigError && error.isFlag);
  process.exitCode ??= isUsage ? USAGE : 1;
}
