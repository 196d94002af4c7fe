/**
 * Writes the settings of src/config/settings.ts into the schema of the chart's values, and which values are required: `npm run chart`. The
 * rest of the schema is written by hand.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { SETTING_ENTRIES } from "../src/config/settings.ts";

const CHART = resolve(import.meta.dirname, "../deploy/helm/lossd");
export const SCHEMA_FILE = join(CHART, "values.schema.json");
const VALUES = join(CHART, "values.yaml");

/** Settings with a value of their own in the chart, at the key if it has one. The chart fixes the others. */
const OWN: Readonly<Record<string, string | undefined>> = {
  HOST: "host",
  PORT: undefined,
  SOCKET: undefined,
  METRICS_PORT: undefined,
  WORKERS: "workers",
  MEMORY_BUDGET: "memoryBudget",
  TOKENS_FILE: "tokens.secret",
  OTEL_EXPORTER_OTLP_ENDPOINT: "tracing.endpoint",
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined,
  DRAIN_LAG_MS: "drain.lagMs",
  DRAIN_LIMIT_MS: "drain.limitMs",
};

/** Values that are smaller here: WORKERS=0 would start a worker for every core of the node, because pods have no CPU limit. */
const MINIMUM: Readonly<Record<string, number>> = { WORKERS: 1 };

/** Objects of which any part may be removed. */
const FREE = ["resources"];

/** Values that may be removed although they have a default, because the templates leave out what is absent. */
const REMOVABLE = ["labels", "prometheus"];

interface Schema {
  properties: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
}

/** Requires what has a default that is not empty, because Helm removes a value that is set to null. */
function requireValues(schema: Schema, values: Record<string, unknown>): void {
  const required = Object.entries(values).filter(
    ([name, value]) => !isEmpty(value) && !REMOVABLE.includes(name),
  );
  schema.required = required.map(([name]) => name);
  for (const [name, value] of required) {
    const inner = schema.properties[name]!;
    if ("properties" in inner && !FREE.includes(name)) requireValues(inner, value as Record<string, unknown>);
  }
}

/** Returns whether a value is "", [] or {}. */
const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && Object.keys(value!).length === 0);

/** Returns the schema with the settings' names, types and ranges, and the required values, as JSON has it. */
export function withSettings(schema: Schema): Schema {
  const result = structuredClone(schema);
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of SETTING_ENTRIES) {
    const { type, enum: words, default: value, minimum, maximum, description } = setting;
    if (!(name in OWN)) settings[name] = { type, enum: words, default: value, minimum, maximum, description };
    const path = OWN[name];
    if (path === undefined || minimum === undefined || maximum === undefined) continue;
    const own = path.split(".").reduce((inner, key) => inner.properties[key]!, result);
    Object.assign(own, { minimum: MINIMUM[name] ?? minimum, maximum });
  }
  Object.assign(result.properties.settings!, { properties: settings });
  requireValues(result, parse(readFileSync(VALUES, "utf8")));
  return JSON.parse(JSON.stringify(result));
}

export const readSchema = (): Schema => JSON.parse(readFileSync(SCHEMA_FILE, "utf8"));

if (argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(SCHEMA_FILE, `${JSON.stringify(withSettings(readSchema()), null, 2)}\n`);
