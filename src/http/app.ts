/** The wiring, in the order in which a request meets it; nothing is discovered. */
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
  /** The page of GET /metrics; undefined: it has a port of its own. */
  readonly metricsPage: (() => Promise<string>) | undefined;
  /** The same page, from which statistics of inferences are read wherever GET /metrics is. */
  readonly metricsText: () => Promise<string>;
  /** The playground and the guide; default: there is none. */
  readonly pages?: readonly Page[];
}

/** The server, ready to listen. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { engine, lifecycle, metricsPage, metricsText, pages = [] } = options;
  const app = createServer(options);
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
