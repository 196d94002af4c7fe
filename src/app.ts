/** The wiring, in the order in which a request meets it; nothing is discovered. */
import type { FastifyInstance } from "fastify";
import type { Engine } from "./http/admission.ts";
import { PROBLEM_SCHEMAS } from "./http/contract/problem.ts";
import { registerDocs, registerOpenApi } from "./http/docs.ts";
import { HEALTH_SCHEMAS, registerHealth } from "./http/health.ts";
import { registerInference } from "./http/inference.ts";
import type { Metrics } from "./http/metrics.ts";
import { registerMetrics } from "./http/metrics.ts";
import { registerOperations } from "./http/operations.ts";
import type { Page } from "./http/pages.ts";
import { registerPages } from "./http/pages.ts";
import type { ServerOptions } from "./http/server.ts";
import { createServer } from "./http/server.ts";

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
  await registerDocs(app);
  return app;
}
