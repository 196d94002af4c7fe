/**
 * Signals of a server: most start a graceful shutdown, a second SIGINT exits at once, SIGHUP reloads. SIGUSR1 is ignored
 * in src/main.ts.
 */
import { isatty } from "node:tty";
import type { Logger } from "pino";
import type { LogStream } from "./log-stream.ts";

/** Signals that start a graceful shutdown. */
const STOPPING = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR2"] as const;

/** Exit codes after a signal: 128 plus its number. */
export const SIGNALLED: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGUSR2: 140,
  SIGTERM: 143,
};

/** Interval in which a second signal is ignored, because npm forwards the signal that the terminal has sent to both, and a closed terminal sends two. */
const ECHO_MS = 250;

/** Returns a function to call at each signal, which returns whether the signal insists on an earlier one instead of echoing it. */
export function insistence(): () => boolean {
  let first: number | undefined;
  return () => {
    first ??= performance.now();
    return performance.now() - first > ECHO_MS;
  };
}

/** Standard streams that were terminals at the start. */
const TERMINALS = [0, 1, 2].filter(isatty);

/** Reactions of a process to signals. */
export interface Reactions {
  /** Shuts down gracefully. Called once. */
  readonly stop: () => Promise<void>;
  /** Reads files again at SIGHUP. */
  readonly reload: () => void;
  /** Called before the exit at a second SIGINT. */
  readonly force?: () => void;
}

/** Handles the signals of a server. SIGHUP stops it if its terminal has closed, and reloads otherwise. */
export function handleSignals({ stop, reload, force = () => {} }: Reactions, log: Log): void {
  let isStopping = false;
  const insists = insistence();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === "SIGINT" && insists()) {
      force();
      process.exit(SIGNALLED.SIGINT);
    }
    if (isStopping) return;
    if (signal === "SIGHUP" && !isHungUp()) {
      reload();
      return;
    }
    isStopping = true;
    log.logger.info({ signal }, "stopping");
    const stopAndLog = () => stop().then(() => log.logger.info("stopped"));
    finish(stopAndLog, log);
  };
  for (const signal of [...STOPPING, "SIGHUP"] as const) process.on(signal, onSignal);
}

/** Whether a terminal of this process has closed. Its system calls fail from then on. */
function isHungUp(): boolean {
  return TERMINALS.some((stream) => !isatty(stream));
}

/**
 * Stops, then writes the rest of the log, and exits. A blocked write or a connection of the collector of spans would keep
 * the process alive.
 */
export async function finish(stop: () => Promise<void>, { logger, stream }: Log): Promise<void> {
  try {
    await stop();
  } catch (error) {
    logger.error({ err: error }, "stopping failed");
    process.exitCode = 1;
  }
  await stream.end();
  process.exit();
}

/** Logger with its stream. */
export interface Log {
  readonly logger: Logger;
  readonly stream: LogStream;
}
