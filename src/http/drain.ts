/** The end of a process: serve on while balancers notice, then close, then force. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";

/** Whether the process still wants traffic; readiness and the Connection header look at it. */
export interface Lifecycle {
  stopping: boolean;
}

export interface DrainTimes {
  /** Milliseconds to serve on with `Connection: close` before the listener closes. */
  readonly lag: number;
  /** Milliseconds after the start at which connections that are still open are cut. */
  readonly limit: number;
}

/**
 * Stops `app` without losing a request that it accepted. Fastify's close() no longer enforces header and request
 * timeouts, so a client that trickles would hold it open without end: hence the limit.
 */
export async function drain(app: FastifyInstance, lifecycle: Lifecycle, times: DrainTimes): Promise<void> {
  lifecycle.stopping = true;
  const force = setTimeout(() => app.server.closeAllConnections(), Math.max(times.limit, times.lag));
  await sleep(times.lag);
  await app.close();
  clearTimeout(force);
}
