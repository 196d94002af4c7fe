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
  /** Renders GET /metrics. Undefined if metrics have a port of their own. */
  readonly metricsPage: (() => Promise<string>) | undefined;
  /** Renders the same text on either port, because the inference statistics are read from it. */
  readonly metricsText: () => Promise<string>;
  /** Pages of the playground and the guide (default: none). */
  readonly pages?: readonly Page[];
}

/** Builds the server, ready to listen. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { engine, lifecycle, metricsPage, metricsText, pages = [] } = options;
  const app = createServer({ ...options, arena: engine.arena });
  await registerOpenApi(app);
  for (const schema of [...PROBLEM_SCHEMAS, ...HEALTH_SCHEMAS]) app.addSchema(schema);
  registerOperations(app, engine);
  await registerInference(app, engine, lifecycle, metricsText);
  registerHealth(app, lifecycle);
  if (metricsPage !== undefined) registerMetrics(app, metricsPage);
  registerPages(app, pages);
  registerDocs(app);
  return app;
}
