/** Shuts down gracefully. Keeps serving while load balancers notice, then closes, then aborts. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";

/** Phase of a server, which is ready while it listens. */
export type Phase = "starting" | "ready" | "stopping";

/** Phase of a process or a cluster, read by readiness and the Connection header. */
export interface Lifecycle {
  phase: Phase;
}

/** Whether to send traffic, with the status for load balancers. 503 is no error here, so problems.ts has no row for it. */
export function readiness({ phase }: Readonly<Lifecycle>): {
  readonly ready: boolean;
  readonly status: number;
} {
  const ready = phase === "ready";
  return { ready, status: ready ? 200 : 503 };
}

export interface ShutdownTimes {
  /** Milliseconds of serving with `Connection: close` before the listener closes. */
  readonly lag: number;
  /** Milliseconds after the start at which open connections are aborted. */
  readonly limit: number;
}

/**
 * Stops `app` without losing an accepted request. The limit bounds clients that send slowly, because header and request
 * timeouts end with Fastify's close().
 */
export async function shutDown(
  app: FastifyInstance,
  lifecycle: Lifecycle,
  times: ShutdownTimes,
): Promise<void> {
  lifecycle.phase = "stopping";
  await sleep(times.lag);
  await close(app, Math.max(times.limit - times.lag, 0));
}

/** Time for a scrape in progress to end after all other requests. */
const SCRAPE_TIMEOUT_MS = 100;

/** Stops the admin server, whose collectors and probes keep their connections open. */
export function shutDownAdmin(admin: FastifyInstance | undefined): Promise<void> {
  return admin === undefined ? Promise.resolve() : close(admin, SCRAPE_TIMEOUT_MS);
}

/** Interval of closing idle connections, because responses begun before the shutdown allowed keep-alive. */
const IDLE_POLL_MS = 100;

/** Closes `app` and its idle connections, and after `limit` milliseconds all connections. */
async function close(app: FastifyInstance, limit: number): Promise<void> {
  const poll = setInterval(() => app.server.closeIdleConnections(), IDLE_POLL_MS);
  const force = setTimeout(() => app.server.closeAllConnections(), limit);
  await app.close();
  clearInterval(poll);
  clearTimeout(force);
}
