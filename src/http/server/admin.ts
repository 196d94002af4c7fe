/** Metrics and health on a port of their own, away from the network that sends requests. */
import type { FastifyInstance } from "fastify";
import { registerMetrics } from "../observe/metrics.ts";
import { answerLive, answerReady } from "./health.ts";
import type { ServerOptions } from "./server.ts";
import { createServer } from "./server.ts";

/** GET /metrics, /health/live and /health/ready, and nothing else. */
export function buildAdmin(
  options: Pick<ServerOptions, "lifecycle" | "logger" | "keepAlive">,
  page: () => Promise<string>,
): FastifyInstance {
  const app = createServer(options);
  registerMetrics(app, page);
  app.get("/health/live", answerLive);
  app.get("/health/ready", answerReady(options.lifecycle));
  return app;
}
