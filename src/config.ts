/** Settings with names, defaults, units and ranges. A test compares README's table with this file. */

import type { Static, TSchema } from "typebox";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { UserError, withoutUser, wordList } from "./errors.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Format of an HTTP URL, or empty. */
const ADDRESS = "address";

/** Format of comma-separated origins (RFC 6454), `*`, or empty. */
const ORIGINS = "origins";

export const SETTINGS = Type.Object(
  {
    HOST: Type.String({
      default: "127.0.0.1",
      description: "Address to listen on. The image sets 0.0.0.0.",
    }),
    PORT: Type.Integer({
      default: 8080,
      minimum: 0,
      maximum: 65_535,
      description: "TCP port to listen on; 0 lets the system choose.",
    }),
    SOCKET: Type.String({
      default: "",
      description:
        "Path of a Unix socket to listen on instead of HOST and PORT. Its owner and its group may connect (0660); what a server that was killed left there is replaced, and it is removed at the end.",
    }),
    WORKERS: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 256,
      description: "Processes that share the port; 0 is one for each core that the process may use.",
    }),
    METRICS_PORT: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 65_535,
      description: "TCP port for /metrics and health alone; 0 leaves /metrics on PORT.",
    }),
    LOG_LEVEL: Type.Enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
      default: "info",
      description:
        "The least severe log lines that are written: trace, debug, info, warn, error, fatal or silent; a request is one line of level info.",
    }),
    BODY_LIMIT: Type.Integer({
      default: 64 * MiB,
      minimum: 1 * KiB,
      maximum: 512 * MiB,
      description:
        "Largest body in bytes that has to be in memory at once; a larger one is refused with 413 before it is read.",
    }),
    STREAM_LIMIT: Type.Integer({
      default: 1024 * 1024 * MiB,
      minimum: 1 * KiB,
      maximum: Number.MAX_SAFE_INTEGER,
      description:
        "Largest safetensors body in bytes, computed row by row as it arrives: it takes time, but no memory of its size.",
    }),
    MEMORY_BUDGET: Type.Integer({
      default: 1024 * MiB,
      minimum: 1 * MiB,
      maximum: 4000 * MiB,
      description:
        "Bytes for the tensors of all requests of one process together. A JSON body reserves at most 4 times its length (a 64-bit number for every 2 characters), one without Content-Length 3.8 MiB while it has at most 768 KiB and then what the longest needs; bodies over 1 MiB get three quarters of it together, so the default holds 3 of the largest.",
    }),
    WAIT_LIMIT_MS: Type.Integer({
      default: 10_000,
      minimum: 100,
      maximum: 86_400_000,
      description:
        "Milliseconds for which the requests under way may make a larger one wait, estimated from their lengths; beyond that it gets 503. Up to 1 MiB of JSON is always let in.",
    }),
    TOKENS_FILE: Type.String({
      default: "",
      description:
        "File with the accepted bearer tokens, one a line; without it every request is let in. It is read at the start: a change counts after a restart. Health, the playground and the guide ask for none.",
    }),
    CORS_ORIGINS: Type.String({
      default: "",
      format: ORIGINS,
      description:
        "Origins whose pages may read answers in a browser, with commas between them (https://app.example.org), or * for all; without it none but the server's own. Cookies are never taken; a token in Authorization is.",
    }),
    COMPRESS_ANSWERS: Type.Enum(["true", "false"], {
      default: "false",
      description:
        "Whether JSON answers over 64 KiB are compressed with zstd, br or gzip for every client that offers one in Accept-Encoding. Most HTTP libraries always offer gzip, which takes 70 MB of digits a second: it pays on links below 500 Mbit/s and slows faster ones. Where it is false, clients that refuse identity (gzip, identity;q=0) still get it.",
    }),
    OTEL_SDK_DISABLED: Type.Enum(["true", "false"], {
      default: "false",
      description: "Nothing is traced where it is true, whatever the other OTEL_ variables say.",
    }),
    OTEL_TRACES_EXPORTER: Type.Enum(["otlp", "none"], {
      default: "otlp",
      description: "How spans leave; none: nothing is traced.",
    }),
    OTEL_EXPORTER_OTLP_ENDPOINT: Type.String({
      default: "",
      format: ADDRESS,
      description:
        "Address of an OpenTelemetry collector, which gets a span for each request over HTTP, at /v1/traces below it; without it nothing is traced.",
    }),
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Type.String({
      default: "",
      format: ADDRESS,
      description: "Address that spans are sent to, as it stands; wins over OTEL_EXPORTER_OTLP_ENDPOINT.",
    }),
    OTEL_EXPORTER_OTLP_PROTOCOL: Type.Enum(["http/protobuf"], {
      default: "http/protobuf",
      description: "How spans are sent; the only way that there is.",
    }),
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: Type.Enum(["http/protobuf"], {
      default: "http/protobuf",
      description: "The same for spans alone; wins over OTEL_EXPORTER_OTLP_PROTOCOL.",
    }),
    KEEP_ALIVE_S: Type.Integer({
      default: 72,
      minimum: 1,
      maximum: 86_400,
      description:
        "Seconds for which an idle connection stays open; its answers announce it, and it closes a second later. It has to be longer than the balancer keeps connections for use again (Google Cloud's: 600).",
    }),
    DRAIN_LAG_MS: Type.Integer({
      default: 1500,
      minimum: 0,
      maximum: 60_000,
      description:
        "Milliseconds to serve on after SIGTERM with Connection: close and readiness 503, while load balancers notice.",
    }),
    DRAIN_LIMIT_MS: Type.Integer({
      default: 10_000,
      minimum: 0,
      maximum: 600_000,
      description: "Milliseconds after SIGTERM at which connections that are still open are closed.",
    }),
  },
  { additionalProperties: false },
);

export type Config = Static<typeof SETTINGS>;

/** Names and schemas of all settings. */
export const SETTING_ENTRIES = Object.entries<Setting>(SETTINGS.properties);

/** Thrown for an invalid setting. The message has its name, the expected and the given value. */
export class ConfigError extends UserError {
  override readonly name = "ConfigError";
  /** Whether the setting was given on the command line. */
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

/** Setting texts by name. Missing ones have their defaults. */
export type SettingTexts = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings from environment variables and from `flags`, which win. Ignores other variables and keeps the
 * defaults of settings without effect. Rejects with {@link ConfigError}.
 */
export function readConfig(env: SettingTexts, flags: SettingTexts = {}): Config {
  const given: Record<string, unknown> = {};
  const texts: SettingTexts = { ...env, ...flags };
  for (const [name, schema] of SETTING_ENTRIES) {
    const text = hasEffect(name, texts) ? texts[name] : "";
    given[name] = text === undefined || text === "" ? schema.default : parse(name, schema, text);
    if (isUsable(schema, given[name])) continue;
    const isFlag = flags[name] !== undefined;
    const place = isFlag ? `--${flagOf(name)}` : name;
    throw new ConfigError(`${place}: expected ${wanted(schema)}, got ${withoutUser(text ?? "")}`, isFlag);
  }
  return given as Config;
}

/** Returns the URL for spans by the rules of OpenTelemetry's OTLP exporters. Undefined disables tracing. */
export function spansUrl(config: Config): string | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: general, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = config;
  if (config.OTEL_SDK_DISABLED === "true" || config.OTEL_TRACES_EXPORTER === "none") return undefined;
  if (own !== "") return own;
  return general === "" ? undefined : `${general.replace(/\/+$/, "")}/v1/traces`;
}

/** Returns whether a setting has an effect, because OTEL_ variables for other programs must not keep lossd from starting. */
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
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
};

/**
 * Parses decimal integers only, so that the schema rejects fractions and exponents. OpenTelemetry's words are
 * case-insensitive.
 */
function parse(name: string, schema: Setting, text: string): unknown {
  if (name.startsWith("OTEL_") && schema.enum !== undefined) return text.toLowerCase();
  return schema.type === "integer" && /^\d+$/.test(text) ? Number(text) : text;
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

/** Returns whether a text is an origin as browsers send it: lower-case host, no default port, no path. */
function isOrigin(text: string): boolean {
  return text === "*" || (/^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text);
}

/** Describes the accepted values of a setting. */
function wanted({ type, format, minimum, maximum, enum: words = [] }: Setting): string {
  if (format === ORIGINS) return "* or origins like https://app.example.org, with commas between them";
  if (type === "integer") return `a whole number from ${minimum} to ${maximum}`;
  return words.length > 0 ? wordList(words) : "an address like http://127.0.0.1:4318";
}
