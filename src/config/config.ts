/** Reads the settings from environment variables and flags, and the addresses that some of them give. */
import { Value } from "typebox/value";
import { UserError, withoutUser, wordList } from "../user-error.ts";
import type { Config, Setting } from "./settings.ts";
import { ADDRESS, BYTES, ORIGINS, SETTING_ENTRIES } from "./settings.ts";
import { parseSize, sizeText } from "./sizes.ts";

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

/** Whether a setting has an effect beside the others, because a variable for other programs' metrics must not keep lossd from starting. */
function hasEffect(name: string, texts: SettingTexts): boolean {
  const is = (other: string, word: string): boolean => texts[other]?.toLowerCase() === word;
  if (!name.startsWith("OTEL_") || name === "OTEL_SDK_DISABLED") return true;
  if (is("OTEL_SDK_DISABLED", "true")) return false;
  if (name === "OTEL_TRACES_EXPORTER") return true;
  if (is("OTEL_TRACES_EXPORTER", "none")) return false;
  return (texts[name.replace("_OTLP_", "_OTLP_TRACES_")] ?? "") === "" || name.includes("_TRACES_");
}

/**
 * Parses decimal integers only, sizes also with a unit. The schema rejects a fraction or an exponent, which stays a string. OpenTelemetry's
 * words are case-insensitive.
 */
function parse(name: string, schema: Setting, text: string): unknown {
  if (name.startsWith("OTEL_") && schema.enum !== undefined) return text.toLowerCase();
  if (schema.unit === BYTES) return parseSize(text);
  return schema.type === "integer" && /^\d+$/.test(text) ? Number(text) : text;
}

function isUsable(schema: Setting, value: unknown): boolean {
  if (!Value.Check(schema, value)) return false;
  if (value === "") return true;
  if (schema.format === ORIGINS) return originsOf(String(value)).every(isOrigin);
  if (schema.format !== ADDRESS) return true;
  return /^https?:\/\//.test(String(value)) && URL.canParse(String(value));
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

/** Address for spans, by the rules of OpenTelemetry's OTLP exporters. Undefined if tracing is off. */
export function spansUrl(config: Config): string | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: general, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = config;
  if (config.OTEL_SDK_DISABLED === "true" || config.OTEL_TRACES_EXPORTER === "none") return undefined;
  if (own !== "") return own;
  return general === "" ? undefined : `${general.replace(/\/+$/, "")}/v1/traces`;
}

/** Splits CORS_ORIGINS. */
export function originsOf(text: string): string[] {
  return text === "" ? [] : text.split(",").map((origin) => origin.trim());
}
