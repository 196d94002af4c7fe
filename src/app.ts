/** The wiring, in the order in which a request meets it; nothing is discovered. */
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import Fastify, { LogController } from "fastify";
import type { Engine } from "./http/body.ts";
import { beginRequest, endRequest, handleClientError, handleFrameworkError } from "./http/connection.ts";
import { PROBLEM_SCHEMAS } from "./http/contract/problem.ts";
import { registerDocs, registerOpenApi } from "./http/docs.ts";
import type { Lifecycle } from "./http/drain.ts";
import { decideExpectations } from "./http/expect.ts";
import { checkHead } from "./http/head.ts";
import { HEALTH_SCHEMAS, registerHealth } from "./http/health.ts";
import { registerInference } from "./http/inference.ts";
import { logRequest } from "./http/log.ts";
import type { Metrics } from "./http/metrics.ts";
import { registerMetrics } from "./http/metrics.ts";
import { registerOperations } from "./http/operations.ts";
import type { Page } from "./http/pages.ts";
import { registerPages } from "./http/pages.ts";
import { handleError } from "./http/refuse.ts";
import { requestId } from "./http/request-id.ts";
import type { Tokens } from "./http/tokens.ts";
import { checkToken } from "./http/tokens.ts";
import type { Tracing } from "./http/trace.ts";
import { handleUnknown } from "./http/unknown.ts";
import type { WatchLimits } from "./http/watch.ts";
import { LIMITS, Watch } from "./http/watch.ts";

export interface AppOptions {
  readonly engine: Engine;
  readonly lifecycle: Lifecycle;
  readonly logger: FastifyBaseLogger;
  /** Who is let in; default: everybody. */
  readonly tokens?: Tokens;
  readonly limits?: WatchLimits;
  readonly metrics: Metrics;
  /** The page of GET /metrics; undefined: it has a port of its own. */
  readonly metricsPage: (() => Promise<string>) | undefined;
  /** The playground and the guide; default: there is none. */
  readonly pages?: readonly Page[];
  /** Who collects traces; default: nobody. */
  readonly tracing?: Tracing | undefined;
}

/** The server, ready to listen. */
export async function buildApp({
  engine,
  lifecycle,
  logger,
  tokens = [],
  limits = LIMITS,
  metrics,
  metricsPage,
  pages = [],
  tracing,
}: AppOptions): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (request) => requestId(request),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    clientErrorHandler: handleClientError,
    frameworkErrors: handleFrameworkError,
    http: { headersTimeout: 5000, connectionsCheckingInterval: 1000, maxHeaderSize: 16 * 1024 },
    // A request on a connection that was accepted is answered, also while closing.
    return503OnClosing: false,
  });
  // Answers of losses leave as bytes that the kernels have printed; for the small objects of the other routes, compiling a serializer
  // for each schema would only slow the start.
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest("job", undefined);
  app.decorateRequest("problem", undefined);
  app.decorateRequest("trace", undefined);
  app.setErrorHandler(handleError);
  // For what a plugin does not find; unknown paths are refused in the hook below.
  app.setNotFoundHandler((request, reply) => handleUnknown(app, request, reply));
  decideExpectations(app.server);
  const watch = new Watch(limits);
  app.addHook("onRequest", (request, reply, done) => {
    watch.add(request.raw, reply.raw);
    request.trace = tracing?.begin(request);
    // Not Fastify's onResponse, which never comes for an answer that is cut or a client that leaves.
    reply.raw.once("close", () => {
      watch.remove(request.raw);
      endRequest(request.raw.socket);
      request.job?.stages.end();
      metrics.count(request, reply);
      logRequest(request, reply);
      request.trace?.end(request, reply);
    });
    beginRequest(request.raw.socket, done);
  });
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    if (lifecycle.phase === "stopping") reply.header("connection", "close");
    checkHead(request.raw);
    checkToken(tokens, request.raw);
    // Here, since a not-found handler comes after the parsing of a body that nobody wants.
    if (request.is404) handleUnknown(app, request, reply);
    else done();
  });
  await registerOpenApi(app);
  for (const schema of [...PROBLEM_SCHEMAS, ...HEALTH_SCHEMAS]) app.addSchema(schema);
  registerOperations(app, engine);
  await registerInference(app, engine, lifecycle);
  registerHealth(app, lifecycle);
  if (metricsPage !== undefined) registerMetrics(app, metricsPage);
  registerPages(app, pages);
  await registerDocs(app);
  return app;
}
