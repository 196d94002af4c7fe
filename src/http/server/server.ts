/** Server shared by every port: the first hooks of each request, its errors, its clean-up and its log line. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import Fastify, { LogController } from "fastify";
import type { Logger } from "pino";
import type { Arena } from "../../tensor/arena.ts";
import type { Connection } from "../connection.ts";
import { Connections } from "../connection.ts";
import type { RequestContext, Tracing } from "../context.ts";
import { outcomeOf } from "../context.ts";
import { logUnread, RequestLog, requestId } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { noteAbort } from "../send-result.ts";
import { AcceptQueue } from "./accept-queue.ts";
import type { AcceptedTokens } from "./auth.ts";
import { checkToken } from "./auth.ts";
import type { NoteUnread } from "./client-errors.ts";
import { handleClientError, handleConnect, MAX_HEADER_BYTES } from "./client-errors.ts";
import type { Origins } from "./cors.ts";
import { isPreflight, respondToPreflight, shareResponse } from "./cors.ts";
import { checkExpectation, checkHead, checkNoBody } from "./head-checks.ts";
import type { Route } from "./not-found.ts";
import { handleNotFound, routeOf } from "./not-found.ts";
import { evictSlowest } from "./preemption.ts";
import { handleError } from "./send-problem.ts";
import type { Lifecycle } from "./shutdown.ts";
import type { TimeoutLimits } from "./timeouts.ts";
import { HEADERS_TIMEOUT_MS, watchTimeouts } from "./timeouts.ts";
import { compileLazily } from "./validation.ts";

export interface ServerOptions {
  readonly lifecycle: Readonly<Lifecycle>;
  readonly logger: Logger;
  /** Accepted tokens (default: none required). */
  readonly accepted?: AcceptedTokens;
  /** Origins whose pages may read responses (default: none). */
  readonly origins?: Origins;
  readonly limits?: TimeoutLimits;
  /** Milliseconds for which an idle connection stays open (default: Fastify's 72 s). */
  readonly keepAlive?: number;
  /** Memory of the requests. When it is full, requests that hardly progress are evicted. */
  readonly arena?: Arena;
  /** Whether the client of a request that has arrived must reconnect after its response (default: never). */
  readonly mustReconnect?: ((connection: Connection) => boolean) | undefined;
  /** Counts the requests, if set. */
  readonly metrics?: Metrics;
  /** Collects traces, if set. */
  readonly tracing?: Tracing | undefined;
}

/** Creates a server without routes. */
export function createServer({ origins, ...others }: ServerOptions): FastifyInstance {
  // Without origins, no request is checked for them.
  const options: ServerOptions =
    origins === undefined || origins.length === 0 ? others : { ...others, origins };
  const { logger, metrics } = options;
  const connections = new Connections();
  const queue = new AcceptQueue();
  const begin = requestStarter(options, connections, queue);
  const noteUnread: NoteUnread = (code, id) => {
    metrics?.countUnread(code);
    logUnread(logger, code, id);
  };
  const app: FastifyInstance = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new ServerLog(),
    genReqId: requestId,
    // Log calls add the request id themselves, because a child logger per request costs more than the line.
    childLoggerFactory: (parent) => parent,
    clientErrorHandler: (error, socket) => handleClientError(error, connections.of(socket), noteUnread),
    // Hooks do not run for a malformed path, because it has no route.
    frameworkErrors: (error, request, reply) =>
      begin(request, reply, (fault) => handleError(fault ?? error, request, reply)),
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Checked by checkHead, because Node's own response would be no problem document.
      requireHostHeader: false,
    },
    ...(options.keepAlive === undefined ? {} : { keepAliveTimeout: options.keepAlive }),
    // Responds to a request on an accepted connection during shutdown, too.
    return503OnClosing: false,
  });
  app.setValidatorCompiler(compileLazily(app));
  // The kernels print the responses of losses. Compiling a serializer for the small objects of other routes would only slow the start.
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest("context", null as unknown as RequestContext);
  const routes: Route[] = [];
  app.addHook("onRoute", ({ method, url }) => void routes.push(...routeOf(method, url)));
  app.setErrorHandler(handleError);
  handleNodeEvents(app, connections, noteUnread);
  const timer = watchTimeouts(connections, options.limits);
  if (options.arena !== undefined)
    options.arena.reclaim = (missing, asking) => evictSlowest(connections, missing, asking);
  app.addHook("preClose", () => queue.empty(app.server));
  app.addHook("onClose", async () => clearInterval(timer));
  app.addHook("onRequest", (request, reply, done) => {
    begin(request, reply, (fault) => {
      if (fault !== undefined) done(fault);
      else if (options.origins !== undefined && isPreflight(options.origins, request))
        respondToPreflight(reply);
      // Called here because Fastify's not-found handler runs after the body has been parsed.
      else if (request.is404) handleNotFound(app, routes, request, reply);
      else done();
    });
  });
  return app;
}

/** Leaves requests to {@link RequestLog}. Records failures of streamed responses, which Fastify would not log either. */
class ServerLog extends LogController {
  constructor() {
    super({ disableRequestLogging: true });
  }

  override streamError(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
    noteAbort(reply, error);
  }
}

/** Handles the events of Node's server that Fastify does not handle. */
function handleNodeEvents({ server }: FastifyInstance, connections: Connections, note: NoteUnread): void {
  server.on("connection", (socket) => connections.of(socket));
  server.on("connect", (_request, socket) => handleConnect(connections.of(socket as Socket), note));
  // Without a listener, Node would respond to an expectation before the request has passed a check.
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    server.emit("request", request, response);
  };
  server.on("checkContinue", take).on("checkExpectation", take);
}

/**
 * Creates the record of a request at its turn on the connection, and ends it when the response ends or the connection closes. Then calls `next`
 * with the error of its head, if there is one.
 */
function requestStarter(options: ServerOptions, connections: Connections, queue: AcceptQueue) {
  const { logger, metrics, tracing, mustReconnect } = options;
  const log = new RequestLog(logger);
  return (request: FastifyRequest, reply: FastifyReply, next: (fault?: FastifyError) => void): void => {
    const connection = connections.of(request.raw.socket);
    if (mustReconnect?.(connection)) reply.raw.shouldKeepAlive = false;
    connection.begin(request.raw, reply.raw, (exchange) => {
      const trace = tracing?.begin(request);
      request.context = { exchange, trace, problem: undefined, loss: undefined };
      metrics?.begin();
      // Fastify's onResponse is not called for an aborted response or a client that disconnects.
      reply.raw.once("close", () => {
        request.context.loss?.end();
        const outcome = outcomeOf(request, reply, connection);
        metrics?.count(request, outcome);
        log.write(request, outcome);
        trace?.end(request, outcome);
        connection.endExchange();
      });
      const check = (): void => {
        let fault: FastifyError | undefined;
        try {
          checkRequest(options, request, reply);
        } catch (error) {
          fault = error as FastifyError;
        }
        next(fault);
      };
      if (queue.closed === undefined) check();
      else queue.closed.then(check);
    });
  };
}

/** Checks the head of a request, on every path. */
function checkRequest(
  { lifecycle, accepted, origins }: ServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header("x-request-id", request.id);
  reply.header("x-content-type-options", "nosniff");
  if (origins !== undefined) shareResponse(origins, request, reply);
  if (lifecycle.phase === "stopping") reply.raw.shouldKeepAlive = false;
  // Closes after a malformed head, because its body may not end where the parser takes it to end (RFC 9112, section 6.3).
  const keepsAlive = reply.raw.shouldKeepAlive;
  reply.raw.shouldKeepAlive = false;
  checkHead(request.raw);
  reply.raw.shouldKeepAlive = keepsAlive;
  // A path without this method gets 404, or 405 with Allow.
  if (!request.is404) checkNoBody(request.raw);
  if (origins !== undefined && isPreflight(origins, request)) return;
  if (accepted !== undefined) checkToken(accepted.tokens, request.raw);
  checkExpectation(request.context.exchange);
}
