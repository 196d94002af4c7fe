/** SIGTERM and SIGINT: the first one drains, a person's second SIGINT ends the process at once. */
import type { Logger } from "pino";
import type { LogSink } from "./log-stream.ts";

/** The exit codes of a process that a signal has ended: 128 and the signal's number. */
export const SIGNALLED: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Milliseconds within which a second SIGINT is the first one's echo: npm sends on what the terminal has sent to both. */
const ECHO = 250;

/** Calls `stop` at the first SIGTERM or SIGINT. Further ones change nothing, but a person's second SIGINT ends the process at once, after `force`. */
export function stopOnSignals(stop: () => Promise<void>, log: Log, force = () => {}): void {
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
export async function finish(stop: () => Promise<void>, { logger, sink }: Log): Promise<void> {
  try {
    await stop();
  } catch (error) {
    logger.error({ err: error }, "stopping failed");
    process.exitCode = 1;
  }
  if (!(await sink.end())) process.exit();
}

/** The log of this process, and the buffer behind it. */
export interface Log {
  readonly logger: Logger;
  readonly sink: LogSink;
}
