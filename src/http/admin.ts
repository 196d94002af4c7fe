/** Metrics and health on a port of their own, away from the network that sends requests. */
import type { FastifyInstance } from "fastify";
import Fastify from "fastify";
import type { Lifecycle } from "./drain.ts";
import { answerLive, answerReady } from "./health.ts";
import { registerMetrics } from "./metrics.ts";

/** GET /metrics, /health/live and /health/ready, and nothing else. */
export function buildAdmin(page: () => Promise<string>, lifecycle: Readonly<Lifecycle>): FastifyInstance {
  const app: FastifyInstance = Fastify();
  registerMetrics(app, page);
  app.get("/health/live", answerLive);
  app.get("/health/ready", answerReady(lifecycle));
  return app;
}
