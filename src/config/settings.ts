/** Settings with name, default, unit and range. docs/settings.md is tested against this file. */
import type { Static, TSchema } from "typebox";
import { Type } from "typebox";
import { KiB, MiB, sizeText, TiB } from "./sizes.ts";

/** Unit of settings that are sizes: a number of bytes, or one with a unit (sizes.ts). */
export const BYTES = "bytes";

/** Format of an HTTP address or an empty string. */
export const ADDRESS = "address";

/** Format of comma-separated origins (RFC 6454), `*` or an empty string. */
export const ORIGINS = "origins";

const SERVER = {
  HOST: Type.String({
    default: "127.0.0.1",
    description: "Address to listen on. The image sets 0.0.0.0.",
  }),
  PORT: Type.Integer({
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: "TCP port to listen on. 0 lets the system choose.",
  }),
  SOCKET: Type.String({
    default: "",
    description:
      "Path of a Unix socket to listen on instead of HOST and PORT. Its owner and its group may connect (0660). A socket left by a killed server is replaced, and shutdown removes the socket.",
  }),
  WORKERS: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 256,
    description: "Processes that share the port. 0 starts one per core available to the process.",
  }),
  WIDE_SIMD: Type.Enum(["true", "false"], {
    default: "true",
    description:
      "Uses vectors of 256 bits (AVX2) on x86-64, with which the losses are up to 1.6 times as fast. V8 calls this experimental, so it is used only with the versions of V8 that it was tested with. The results are the same bits with false.",
  }),
  KEEP_ALIVE_S: Type.Integer({
    default: 72,
    minimum: 1,
    maximum: 86_400,
    description:
      "Seconds for which an idle connection stays open. Responses announce it, and the connection closes a second later. Set it longer than the load balancer keeps idle connections (Google Cloud's: 600).",
  }),
  TOKENS_FILE: Type.String({
    default: "",
    description:
      "File with the accepted bearer tokens, one per line. Without it every request is accepted. SIGHUP reads it again, and keeps the former tokens if it is invalid. Health, the playground and the guide need no token.",
  }),
  CORS_ORIGINS: Type.String({
    default: "",
    format: ORIGINS,
    description:
      "Origins whose pages may read responses in a browser, separated by commas (https://app.example.org), or * for all. Without it only the server's own pages may. Cookies are never accepted, but a token in Authorization is.",
  }),
  COMPRESS_RESPONSES: Type.Enum(["true", "false"], {
    default: "false",
    description:
      "Compresses JSON responses over 64 KiB with zstd, br or gzip for every client that offers one in Accept-Encoding. Most HTTP libraries always offer gzip, which compresses 70 MB of digits a second, so it pays on links below 500 Mbit/s and slows down faster links. With false, only clients that exclude identity (gzip, identity;q=0) get compressed responses.",
  }),
};

const LIMITS = {
  BODY_LIMIT: Type.Integer({
    unit: BYTES,
    default: 64 * MiB,
    minimum: 1 * KiB,
    maximum: 512 * MiB,
    description:
      "Largest body that must be in memory at once. A larger body is rejected with 413 before it is read.",
  }),
  STREAM_LIMIT: Type.Integer({
    unit: BYTES,
    default: 1 * TiB,
    minimum: 1 * KiB,
    maximum: 4096 * TiB,
    description:
      "Largest safetensors body. Rows are computed as they arrive, so a large body takes time but little memory.",
  }),
  MEMORY_BUDGET: Type.Integer({
    unit: BYTES,
    default: 0,
    minimum: 0,
    maximum: 4000 * MiB,
    description:
      "Memory for the tensors of all requests of one process. 0 chooses 1 GiB, or less under a container's memory limit: the limit, minus 96 MiB for the primary of a cluster, divided by the workers, minus 224 MiB. A JSON body reserves at most 4 times its length (a 64-bit number for every 2 characters). A body without Content-Length first reserves 3.8 MiB, and past 768 KiB as much as the longest body. Bodies over 1 MiB share three quarters of the budget, so 1 GiB holds 3 of the largest.",
  }),
  WAIT_LIMIT_MS: Type.Integer({
    default: 10_000,
    minimum: 100,
    maximum: 86_400_000,
    description:
      "Longest time in milliseconds that a request may wait, for the processor (estimated from the lengths of the running requests) and, with a JSON body over 1 MiB, for memory. A request that would wait or has waited longer gets 503. JSON up to 1 MiB never waits.",
  }),
};

const OBSERVABILITY = {
  METRICS_PORT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65_535,
    description: "TCP port for /metrics and health only. 0 keeps /metrics on PORT.",
  }),
  LOG_LEVEL: Type.Enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
    default: "info",
    description:
      "Lowest log level: trace, debug, info, warn, error, fatal or silent. Each request is logged as one line at level info, and successful probes and scrapes at level debug.",
  }),
  OTEL_SDK_DISABLED: Type.Enum(["true", "false"], {
    default: "false",
    description: "Disables tracing when true, regardless of the other OTEL_ variables.",
  }),
  OTEL_TRACES_EXPORTER: Type.Enum(["otlp", "none"], {
    default: "otlp",
    description: "Exporter of spans, or none to disable tracing.",
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.String({
    default: "",
    format: ADDRESS,
    description:
      "Base address of an OpenTelemetry collector. Spans of each request are sent over HTTP to /v1/traces below it. Without it tracing is off.",
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Type.String({
    default: "",
    format: ADDRESS,
    description: "Complete address for spans, which overrides OTEL_EXPORTER_OTLP_ENDPOINT.",
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Enum(["http/protobuf"], {
    default: "http/protobuf",
    description: "Protocol of the exporter. Only this value is supported.",
  }),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: Type.Enum(["http/protobuf"], {
    default: "http/protobuf",
    description: "Protocol for spans only, which overrides OTEL_EXPORTER_OTLP_PROTOCOL.",
  }),
};

const SHUTDOWN = {
  DRAIN_LAG_MS: Type.Integer({
    default: 1500,
    minimum: 0,
    maximum: 60_000,
    description:
      "Milliseconds after SIGTERM during which the server still accepts requests, with Connection: close and readiness 503, until load balancers notice.",
  }),
  DRAIN_LIMIT_MS: Type.Integer({
    default: 10_000,
    minimum: 0,
    maximum: 600_000,
    description: "Milliseconds after SIGTERM until open connections are closed.",
  }),
};

/** Schema of a setting. */
export type Setting = TSchema & {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly format?: string;
  readonly unit?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
};

/** Settings by group, in the order of docs/settings.md and of `lossd --help`. */
export const SETTING_GROUPS: Readonly<Record<string, Readonly<Record<string, Setting>>>> = {
  Server: SERVER,
  Limits: LIMITS,
  Observability: OBSERVABILITY,
  Shutdown: SHUTDOWN,
};

export const SETTINGS = Type.Object(
  { ...SERVER, ...LIMITS, ...OBSERVABILITY, ...SHUTDOWN },
  { additionalProperties: false },
);

export type Config = Static<typeof SETTINGS>;

/** Names and schemas of all settings. */
export const SETTING_ENTRIES = Object.entries<Setting>(SETTINGS.properties);

/** Returns the default of a setting as a person writes it, such as "64 MiB". Empty if there is none. */
export function defaultText({ unit, default: value }: Setting): string {
  return unit === BYTES ? sizeText(Number(value)) : String(value);
}
