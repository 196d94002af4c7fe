/**
 * Spans of requests for an OpenTelemetry collector (OTLP over HTTP, protobuf). Loaded only if a collector is set, because its packages
 * take longer to load than all other code. The packages read their own OTEL_ variables (headers, sampler, service name, resource attributes).
 */
import type { Agent as HttpAgent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Span } from "@opentelemetry/api";
import {
  DiagLogLevel,
  defaultTextMapGetter,
  diag,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
} from "@opentelemetry/api";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { VERSION } from "../../version.ts";
import type { Outcome, Trace, Tracing } from "../context.ts";
import { STAGES } from "../context.ts";
import { isRoutine } from "./log.ts";

/** Timeout of one export with its retries. */
const EXPORT_TIMEOUT_MS = 1000;
/**
 * Longest life of a connection to the collector, beyond the timeout of an export, which starts again with each byte of an answer. Without
 * it, 30 answers that never end would fill the exporter, which drops all further spans, even those for a collector that works again.
 */
const CONNECTION_LIMIT_MS = 1200;
/** Longest time for which the shutdown waits for the exports of all buffered spans. */
const STOP_TIMEOUT_MS = 1500;

/** Maximum length of an attribute, because clients choose paths and user agents. */
const MAX_ATTRIBUTE_CHARS = 256;

/** Maximum length of a reason in the log, because collectors choose its words. */
const MAX_REASON_CHARS = 256;

/** Exports spans to a collector by POST to `url`. Logs a warning when spans are lost, and when a variable has no effect. */
export function startTracing(url: string, logger: Logger): Tracing {
  const onError = (error: unknown): void => logger.warn({ reason: reasonOf(error) }, "spans are lost");
  setGlobalErrorHandler(onError);
  const warn = (message: string): void => logger.warn({ reason: reasonOf(message) }, "tracing");
  const ignore = (): void => {};
  diag.setLogger(
    { error: warn, warn, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN },
  );
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "lossd", "service.version": VERSION }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_CHARS },
    spanProcessors: [
      new BatchSpanProcessor(
        new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS, httpAgentOptions: agentOf }),
      ),
    ],
  });
  const tracer = provider.getTracer("lossd", VERSION);
  const propagator = new W3CTraceContextPropagator();
  return {
    begin(request) {
      if (isRoutine(request.routeOptions.url ?? "")) return undefined;
      const parent = propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
      return traceOf(tracer.startSpan(request.method, { kind: SpanKind.SERVER }, parent));
    },
    async stop() {
      const ended = provider.shutdown().catch(onError);
      const isLate = await Promise.race([ended.then(() => false), sleep(STOP_TIMEOUT_MS, true)]);
      if (isLate) onError(`the collector takes longer than ${STOP_TIMEOUT_MS} ms`);
    },
  };
}

/** Makes an agent with a connection for each export, closed after its limit. */
async function agentOf(protocol: string): Promise<HttpAgent> {
  const { Agent } = await import(protocol === "https:" ? "node:https" : "node:http");
  const agent: HttpAgent = new Agent();
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, done) => {
    const socket = connect(options, done);
    const timer = setTimeout(() => socket?.destroy(), CONNECTION_LIMIT_MS);
    socket?.once("close", () => clearTimeout(timer));
    return socket;
  };
  return agent;
}

/** Describes an error without its further fields, such as the body of the collector's response. */
function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return reason.slice(0, MAX_REASON_CHARS);
}

function traceOf(span: Span): Trace {
  return {
    id: span.spanContext().traceId,
    end(request, outcome) {
      if (span.isRecording()) describe(span, request, outcome);
      span.end();
    },
  };
}

/** Sets OpenTelemetry's attributes of HTTP servers, then lossd's: the work, and the seconds in each stage. */
function describe(span: Span, request: FastifyRequest, { operation, status, isAborted }: Outcome): void {
  const { loss, problem } = request.context;
  const { url: route } = request.routeOptions;
  if (route !== undefined) span.updateName(`${request.method} ${route}`);
  span.setAttributes({
    "http.request.method": request.method,
    "http.route": route,
    "http.response.status_code": status,
    "url.path": request.url.split("?", 1)[0]!,
    "url.scheme": request.protocol,
    "network.protocol.version": request.raw.httpVersion,
    "user_agent.original": request.headers["user-agent"],
    "lossd.request_id": request.id,
    "lossd.operation": operation,
    "lossd.problem": problem,
    "lossd.aborted": isAborted || undefined,
  });
  if (status >= 500)
    span.setAttribute("error.type", String(status)).setStatus({ code: SpanStatusCode.ERROR });
  if (loss === undefined) return;
  const { input } = loss;
  span.setAttributes({
    "http.request.body.size": loss.bytes,
    "lossd.input.dtype": input?.dtype,
    "lossd.input.shape": input && [...input.shape],
  });
  for (const stage of STAGES) span.setAttribute(`lossd.stage.${stage}_seconds`, loss.timings.seconds(stage));
}
