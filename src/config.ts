/** Settings with name, default, unit and range. docs/settings.md is tested against this file. */

import type { Static, TSchema } from "typebox";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { UserError, withoutUser, wordList } from "./user-error.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const TiB = 1024 * 1024 * MiB;

/** Units of sizes, the largest first. */
const SIZE_UNITS = { TiB, GiB: 1024 * MiB, MiB, KiB } as const;

/** Unit of settings that are sizes: a number of bytes, or one with a unit of {@link SIZE_UNITS}. */
const BYTES = "bytes";

/** Format of an HTTP address or an empty string. */
const ADDRESS = "address";

/** Format of comma-separated origins (RFC 6454), `*` or an empty string. */
const ORIGINS = "origins";

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
      "Memory for the tensors of all requests of one process. 0 chooses 1 GiB, or less under a container's memory limit: each worker's share of the limit, which 96 MiB of a primary lessen, minus 224 MiB. A JSON body reserves at most 4 times its length (a 64-bit number for every 2 characters). A body without Content-Length first reserves 3.8 MiB, and past 768 KiB as much as the longest body. Bodies over 1 MiB share three quarters of the budget, so 1 GiB holds 3 of the largest.",
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

/** Thrown for an invalid setting. The message has its name, the expected value and the value received. */
export class ConfigError extends UserError {
  override readonly name = "ConfigError";
  /** Whether the setting came from the command line. */
  readonly isFlag: boolean;
  constructor(message: string, isFlag = false) {
    super(message);
    this.isFlag = isFlag;
  }
}

/** Returns the flag of a setting, such as `--body-limit` for BODY_LIMIT. */
export function flagOf(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** Strings of settings by name. A missing name has its default. */
export type SettingTexts = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings from environment variables and from `flags`, which take precedence. Other variables are ignored.
 * Throws {@link ConfigError}. Settings without effect beside others keep their defaults and are not validated.
 */
export function readConfig(env: SettingTexts, flags: SettingTexts = {}): Config {
  const given: Record<string, unknown> = {};
  const texts: SettingTexts = { ...env, ...flags };
  for (const [name, schema] of SETTING_ENTRIES) {
    const text = hasEffect(name, texts) ? texts[name] : "";
    given[name] = text === undefined || text === "" ? schema.default : parse(name, schema, text);
    if (isUsable(schema, given[name])) continue;
    const isFlag = flags[name] !== undefined;
    const label = isFlag ? `--${flagOf(name)}` : name;
    throw new ConfigError(`${label}: expected ${wanted(schema)}, got ${withoutUser(text ?? "")}`, isFlag);
  }
  const config = given as Config;
  if (config.METRICS_PORT > 0 && config.METRICS_PORT === config.PORT && config.SOCKET === "")
    throw new ConfigError("METRICS_PORT: expected another port than PORT", flags.METRICS_PORT !== undefined);
  return config;
}

/** Address for spans, by the rules of OpenTelemetry's OTLP exporters. Undefined if tracing is off. */
export function spansUrl(config: Config): string | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: general, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = config;
  if (config.OTEL_SDK_DISABLED === "true" || config.OTEL_TRACES_EXPORTER === "none") return undefined;
  if (own !== "") return own;
  return general === "" ? undefined : `${general.replace(/\/+$/, "")}/v1/traces`;
}

/** Whether a setting has an effect beside the others, because a variable for other programs' metrics must not keep lossd from starting. */
function hasEffect(name: string, texts: SettingTexts): boolean {
  const is = (other: string, word: string): boolean => texts[other]?.toLowerCase() === word;
  if (!name.startsWith("OTEL_") || name === "OTEL_SDK_DISABLED") return true;
  if (is("OTEL_SDK_DISABLED", "true")) return false;
  if (name === "OTEL_TRACES_EXPORTER") return true;
  if (is("OTEL_TRACES_EXPORTER", "none")) return false;
  return (texts[name.replace("_OTLP_", "_OTLP_TRACES_")] ?? "") === "" || name.includes("_TRACES_");
}

type Setting = TSchema & {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly format?: string;
  readonly unit?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
};

/**
 * Parses decimal integers only, sizes also with a unit. The schema rejects a fraction or an exponent, which stays a string. OpenTelemetry's
 * words are case-insensitive.
 */
function parse(name: string, schema: Setting, text: string): unknown {
  if (name.startsWith("OTEL_") && schema.enum !== undefined) return text.toLowerCase();
  if (schema.unit === BYTES) return parseSize(text);
  return schema.type === "integer" && /^\d+$/.test(text) ? Number(text) : text;
}

/** Parses a size like 65536, 64MiB or "64 MiB". Returns other texts as they are. */
function parseSize(text: string): number | string {
  const [, digits, unit] = /^(\d+) ?([KMGT]iB)?$/.exec(text) ?? [];
  if (digits === undefined) return text;
  return Number(digits) * (unit === undefined ? 1 : SIZE_UNITS[unit as keyof typeof SIZE_UNITS]);
}

/** Returns the default of a setting as a person writes it, such as "64 MiB". Empty if there is none. */
export function defaultText({ unit, default: value }: Setting): string {
  return unit === BYTES ? sizeText(Number(value)) : String(value);
}

/** Writes a size with the largest unit of which it is a multiple. */
function sizeText(bytes: number): string {
  const unit = Object.entries(SIZE_UNITS).find(([, size]) => bytes > 0 && bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]} ${unit[0]}`;
}

function isUsable(schema: Setting, value: unknown): boolean {
  if (!Value.Check(schema, value)) return false;
  if (value === "") return true;
  if (schema.format === ORIGINS) return originsOf(String(value)).every(isOrigin);
  if (schema.format !== ADDRESS) return true;
  return /^https?:\/\//.test(String(value)) && URL.canParse(String(value));
}

/** Splits CORS_ORIGINS. */
export function originsOf(text: string): string[] {
  return text === "" ? [] : text.split(",").map((origin) => origin.trim());
}

/** Whether browsers serialize an origin like this: scheme, host in lower case, a port other than the default, no path. */
function isOrigin(text: string): boolean {
  return text === "*" || (/^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text);
}

/** Describes a setting's valid values for an error message. */
function wanted({ type, format, unit, minimum = 0, maximum = 0, enum: words = [] }: Setting): string {
  if (format === ORIGINS) return "* or comma-separated origins like https://app.example.org";
  if (unit === BYTES) return `a size from ${sizeText(minimum)} to ${sizeText(maximum)}, such as 64MiB`;
  if (type === "integer") return `a whole number from ${minimum} to ${maximum}`;
  return words.length > 0 ? wordList(words) : "an address like http://127.0.0.1:4318";
}
