/** SIGTERM and SIGINT. The first signal starts a graceful shutdown, a second SIGINT exits at once. */
import type { Logger } from "pino";
import type { LogStream } from "./log-stream.ts";

/** Exit codes after a signal: 128 plus its number. */
export const SIGNALLED: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Interval in which a second SIGINT is ignored, because npm forwards the signal that the terminal has sent to both. */
const ECHO_MS = 250;

/** Calls `stop` at the first SIGTERM or SIGINT. A second SIGINT calls `force` and exits. */
export function stopOnSignals(stop: () => Promise<void>, log: Log, force = () => {}): void {
  let isStopping = false;
  let interrupted: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === "SIGINT") {
      interrupted ??= Date.now();
      if (Date.now() - interrupted > ECHO_MS) {
        force();
        process.exit(SIGNALLED.SIGINT);
      }
    }
    if (isStopping) return;
    isStopping = true;
    log.logger.info({ signal }, "stopping");
    const stopAndLog = () => stop().then(() => log.logger.info("stopped"));
    finish(stopAndLog, log);
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
}

/** Stops, then writes the rest of the log. Exits if a write is blocked because it would keep the process alive. */
export async function finish(stop: () => Promise<void>, { logger, stream }: Log): Promise<void> {
  try {
    await stop();
  } catch (error) {
    logger.error({ err: error }, "stopping failed");
    process.exitCode = 1;
  }
  if (!(await stream.end())) process.exit();
}

/** Logger with its stream. */
export interface Log {
  readonly logger: Logger;
  readonly stream: LogStream;
}
