/** What every port has in common: how requests are read, what each of them passes first, how it is refused, and what is noted when it is over. */
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import Fastify, { LogController } from "fastify";
import { beginRequest, endRequest, HEADERS, handleClientError } from "./connection.ts";
import type { Origins } from "./cors.ts";
import { answerPreflight, isPreflight, shareAnswer } from "./cors.ts";
import type { Lifecycle } from "./drain.ts";
import { checkExpectation, decideExpectations } from "./expect.ts";
import { checkHead, checkNoBody } from "./head.ts";
import { logRequest, logUnread } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { handleError } from "./refuse.ts";
import { requestId } from "./request-id.ts";
import type { Tokens } from "./tokens.ts";
import { checkToken } from "./tokens.ts";
import type { Tracing } from "./trace.ts";
import type { Place } from "./unknown.ts";
import { handleUnknown, placeOf } from "./unknown.ts";
import type { WatchLimits } from "./watch.ts";
import { LIMITS, Watch } from "./watch.ts";

export interface ServerOptions {
  readonly lifecycle: Readonly<Lifecycle>;
  readonly logger: FastifyBaseLogger;
  /** Who is let in; default: everybody. */
  readonly tokens?: Tokens;
  /** Whose pages may read answers; default: nobody's. */
  readonly origins?: Origins;
  readonly limits?: WatchLimits;
  /** Milliseconds for which an idle connection stays open; default: Fastify's 72 s. */
  readonly keepAlive?: number;
  /** What counts the requests; default: nothing does. */
  readonly metrics?: Metrics;
  /** Who collects traces; default: nobody. */
  readonly tracing?: Tracing | undefined;
}

/** A server without routes. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { logger, metrics } = options;
  const begin = beginner(options);
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (request) => requestId(request),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    clientErrorHandler: (error, socket) =>
      handleClientError(error, socket, (code, id) => {
        metrics?.countUnread(code);
        logUnread(logger, code, id);
      }),
    // A path that is none finds no route, and with that no hook.
    frameworkErrors: (error, request, reply) =>
      begin(request, reply, () => refuseUnrouted(options, error, request, reply)),
    http: { headersTimeout: HEADERS.time, connectionsCheckingInterval: 1000, maxHeaderSize: HEADERS.bytes },
    ...(options.keepAlive === undefined ? {} : { keepAliveTimeout: options.keepAlive }),
    // A request on a connection that was accepted is answered, also while closing.
    return503OnClosing: false,
  });
  // Answers of losses leave as bytes that the kernels have printed; for the small objects of the other routes, compiling a serializer
  // for each schema would only slow the start.
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest("job", undefined);
  app.decorateRequest("problem", undefined);
  app.decorateRequest("trace", undefined);
  const places: Place[] = [];
  app.addHook("onRoute", ({ method, url }) => void places.push(...placeOf(method, url)));
  app.setErrorHandler(handleError);
  // For what a plugin does not find; unknown paths are refused in the hook below.
  app.setNotFoundHandler((request, reply) => handleUnknown(app, places, request, reply));
  decideExpectations(app.server);
  app.addHook("onRequest", begin);
  app.addHook("onRequest", (request, reply, done) => {
    checkIn(options, request, reply);
    if (isPreflight(options.origins ?? [], request)) answerPreflight(reply);
    // Here, since a not-found handler comes after the parsing of a body that nobody wants.
    else if (request.is404) handleUnknown(app, places, request, reply);
    else done();
  });
  return app;
}

/** What notes a request, and starts it when its turn on the connection comes. */
function beginner({ limits = LIMITS, metrics, tracing }: ServerOptions) {
  const watch = new Watch(limits);
  return (request: FastifyRequest, reply: FastifyReply, start: () => void): void => {
    watch.add(request.raw, reply.raw);
    request.trace = tracing?.begin(request);
    // Not Fastify's onResponse, which never comes for an answer that is cut or a client that leaves.
    reply.raw.once("close", () => {
      watch.remove(request.raw);
      endRequest(request.raw.socket);
      request.job?.stages.end();
      metrics?.count(request, reply);
      logRequest(request, reply);
      request.trace?.end(request, reply);
    });
    beginRequest(request.raw.socket, start);
  };
}

/** Refuses a request for its head alone. */
function checkIn(
  { lifecycle, tokens = [], origins = [] }: ServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
  shareAnswer(origins, request, reply);
  if (lifecycle.phase === "stopping") reply.header("connection", "close");
  checkHead(request.raw);
  // A path without this method is refused for the method: 405 with Allow, or 404.
  if (!request.is404) checkNoBody(request.raw);
  if (isPreflight(origins, request)) return;
  checkToken(tokens, request.raw);
  checkExpectation(request.raw);
}

/** Refuses a request for which Fastify looked for no route: for its head first, as every other. */
function refuseUnrouted(
  options: ServerOptions,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  let refusal = error;
  try {
    checkIn(options, request, reply);
  } catch (first) {
    refusal = first as FastifyError;
  }
  handleError(refusal, request, reply);
}
