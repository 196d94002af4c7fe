/** Serves metrics and health on a separate port, away from the network that sends requests. */
import type { FastifyInstance } from "fastify";
import { registerMetrics } from "../observe/metrics.ts";
import { handleLive, handleReady } from "./health.ts";
import type { ServerOptions } from "./server.ts";
import { createServer } from "./server.ts";

/** Serves only GET /metrics, /health/live and /health/ready. */
export function buildAdmin(
  options: Pick<ServerOptions, "lifecycle" | "logger" | "keepAlive">,
  page: () => Promise<string>,
): FastifyInstance {
  const app = createServer(options);
  registerMetrics(app, page);
  app.get("/health/live", handleLive);
  app.get("/health/ready", handleReady(options.lifecycle));
  return app;
}
