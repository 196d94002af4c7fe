/** The end of a process: serve on while balancers notice, then close, then force. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";

/** A server starts, is ready while it listens, then stops. */
export type Phase = "starting" | "ready" | "stopping";

/** Where a process, or a group of them, stands; readiness and the Connection header look at it. */
export interface Lifecycle {
  phase: Phase;
}

/** Whether to send traffic, with the status that tells a balancer: no refusal, so no row of problems.ts. */
export function readiness({ phase }: Readonly<Lifecycle>): {
  readonly ready: boolean;
  readonly status: number;
} {
  const ready = phase === "ready";
  return { ready, status: ready ? 200 : 503 };
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
  lifecycle.phase = "stopping";
  await sleep(times.lag);
  await close(app, Math.max(times.limit - times.lag, 0));
}

/** Milliseconds that a scrape under way has for its answer when all else has ended. */
const SCRAPE = 100;

/** Stops the server of metrics and health, whose collectors and probes keep their connections open. */
export function closeAdmin(admin: FastifyInstance | undefined): Promise<void> {
  return admin === undefined ? Promise.resolve() : close(admin, SCRAPE);
}

/** Milliseconds between two looks for connections that have become idle: their answers were begun before the stop, and promised more. */
const LOOK = 100;

/** Closes `app`, its connections as they become idle, and after `limit` milliseconds those that are still open. */
async function close(app: FastifyInstance, limit: number): Promise<void> {
  const look = setInterval(() => app.server.closeIdleConnections(), LOOK);
  const force = setTimeout(() => app.server.closeAllConnections(), limit);
  await app.close();
  clearInterval(look);
  clearTimeout(force);
}
