/** Wires the server explicitly, in the order in which a request meets its parts. */
import type { FastifyInstance } from "fastify";
import type { Engine } from "./body/admission.ts";
import { registerInference } from "./inference/routes.ts";
import { registerOperations } from "./losses/routes.ts";
import type { Metrics } from "./observe/metrics.ts";
import { registerMetrics } from "./observe/metrics.ts";
import { registerDocs, registerOpenApi } from "./openapi/routes.ts";
import { HEALTH_SCHEMAS, registerHealth } from "./server/health.ts";
import { PROBLEM_SCHEMAS } from "./server/problem-schemas.ts";
import type { ServerOptions } from "./server/server.ts";
import { createServer } from "./server/server.ts";
import type { Page } from "./static/pages.ts";
import { registerPages } from "./static/pages.ts";

export interface AppOptions extends ServerOptions {
  readonly engine: Engine;
  readonly metrics: Metrics;
  /** Renders the metrics, from which the inference statistics are read, too. */
  readonly metricsText: () => Promise<string>;
  /** Whether metrics have a port of their own instead of GET /metrics here (default: false). */
  readonly hasMetricsPort?: boolean;
  /** Pages of the playground and the guide (default: none). */
  readonly pages?: readonly Page[];
}

/** Builds the server, ready to listen. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { engine, lifecycle, metricsText, hasMetricsPort = false, pages = [] } = options;
  const app = createServer({ ...options, arena: engine.arena });
  await registerOpenApi(app);
  for (const schema of [...PROBLEM_SCHEMAS, ...HEALTH_SCHEMAS]) app.addSchema(schema);
  registerOperations(app, engine);
  await registerInference(app, engine, lifecycle, metricsText);
  registerHealth(app, lifecycle);
  if (!hasMetricsPort) registerMetrics(app, metricsText);
  registerPages(app, pages);
  registerDocs(app);
  return app;
}
