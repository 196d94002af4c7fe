/** The chart refuses wrong values with their places, and its schema has the settings of the server. */
import { describe, expect, it } from "vitest";
import { readSchema, withSettings } from "../../build/chart-schema.ts";
import { SETTING_ENTRIES, SETTINGS } from "../../src/config/settings.ts";
import { CHART, noHelm, render, withReason } from "./chart.ts";
import { read } from "./objects.ts";

const limit = (memory: string | null) => ({ limits: { memory } });
const memory = (request: string, most: string) => ({ requests: { memory: request }, ...limit(most) });

/** Settings that have a value of their own or none. */
const FIXED_SETTINGS = [
  "HOST",
  "PORT",
  "SOCKET",
  "WORKERS",
  "METRICS_PORT",
  "MEMORY_BUDGET",
  "TOKENS_FILE",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "DRAIN_LAG_MS",
  "DRAIN_LIMIT_MS",
];

describe.skipIf(noHelm)(withReason("the chart"), () => {
  it.for([
    ["a name that no value has", { replica: 3 }, "additional properties 'replica' not allowed"],
    ["a setting that does not exist", { settings: { BODY_SIZE: 1 } }, "'BODY_SIZE' not allowed"],
    ["a setting that has a value of its own", { settings: { WORKERS: 1 } }, "'WORKERS' not allowed"],
    ["a setting out of range", { settings: { BODY_LIMIT: 1 } }, "at '/settings/BODY_LIMIT': minimum: got 1"],
    ["a setting of another type", { settings: { BODY_LIMIT: "64MiB" } }, "got string, want integer"],
    ["no worker", { workers: 0 }, "at '/workers': minimum: got 0, want 1"],
    ["a drain over the setting's limit", { drain: { lagMs: 60_001 } }, "at '/drain/lagMs': maximum"],
    ["half a digest", { image: { digest: "sha256:00" } }, "at '/image/digest': 'sha256:00' does not match"],
    ["tokens as text", { tokens: ["a-token"] }, "at '/tokens': got array, want object"],
    ["an address without a scheme", { tracing: { endpoint: "collector:4318" } }, "at '/tracing/endpoint'"],
    [
      "a setting among the collector's",
      { tracing: { env: [{ name: "PORT" }] } },
      "does not match pattern '^OTEL_'",
    ],
    [
      "the collector's address among its variables",
      { tracing: { env: [{ name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://collector:4318" }] } },
      "at '/tracing/env/0/name'",
    ],
    [
      "a port that no collector has",
      { tracing: { endpoint: "http://collector:70000" } },
      "tracing.endpoint: expected a port from 1 to 65535, got 70000",
    ],
    ["no resources", { resources: null }, "at '': missing property 'resources'"],
    ["no number of workers", { workers: null }, "at '': missing property 'workers'"],
    ["no time to drain", { drain: { lagMs: null } }, "at '/drain': missing property 'lagMs'"],
    ["an ingress without a host", { ingress: { enabled: true } }, "at '/ingress/host': minLength"],
    ["a route without a gateway", { httpRoute: { enabled: true } }, "at '/httpRoute/parentRefs': minItems"],
    [
      "pods that the service would miss",
      { podLabels: { "app.kubernetes.io/name": "x" } },
      "at '/podLabels/app.kubernetes.io~1name'",
    ],
    [
      "more memory than the limit",
      { memoryBudget: 840_000_000 },
      "resources.limits.memory: expected at least 1074881024 bytes (workers x (memoryBudget + 224 MiB), and 96 MiB for several workers), got 1Gi",
    ],
    [
      "fewer pods at most than at least",
      { autoscaling: { minReplicas: 5, maxReplicas: 4 } },
      "autoscaling.maxReplicas: expected at least minReplicas, 5, got 4",
    ],
    [
      "a limit that holds no process",
      { memoryBudget: 0, resources: limit("100Mi") },
      "expected at least 234881024 bytes",
    ],
    [
      "a request of more memory than the limit, as with the limit of docs/operate.md for small bodies alone",
      { memoryBudget: 256 * 2 ** 20, resources: limit("480Mi") },
      "resources.requests.memory: expected at most the limit, 480Mi, got 1Gi",
    ],
    [
      "the port of the metrics twice in a service",
      { service: { port: 9090 } },
      "service.port: expected another port than that of the metrics, 9090",
    ],
    ["more workers than the limit holds", { workers: 2 }, `expected at least ${2080 * 2 ** 20} bytes`],
  ] as const)("refuses %s", ([, values, message]) => {
    expect(render(values).error).toContain(message);
  });

  it.for([
    ["a limit of exactly 2 x (memoryBudget + 224 MiB) + 96 MiB", { workers: 2, resources: limit("2080Mi") }],
    ["an automatic budget in any limit", { memoryBudget: 0, resources: memory("300Mi", "300Mi") }],
    ["a request in another unit", { resources: memory("1G", "1Gi") }],
    ["no limit", { memoryBudget: 2 ** 31, resources: limit(null) }],
    [
      "values that are removed and were empty, and any of the resources",
      { affinity: null, host: null, image: { tag: null }, resources: { requests: null } },
    ],
    [
      "no label of the dashboard, and no peer that scrapes",
      { networkPolicy: { prometheus: null }, monitoring: { dashboard: { enabled: true, labels: null } } },
    ],
    ["the values of a chart that it is a part of", { global: { registry: "x" } }],
  ] as const)("accepts %s", ([, values]) => {
    expect(render(values).error).toBe("");
  });
});

describe.skipIf(noHelm)(withReason("the release's name"), () => {
  it.for(["123", "1lossd", "a.b"])("is refused if no service can have its name: %s", (release) => {
    expect(render({}, CHART, release).error).toContain("fullnameOverride: expected a name of a-z, 0-9 and -");
    expect(render({ fullnameOverride: "lossd" }, CHART, release).error).toBe("");
  });
});

describe("the values of the chart", () => {
  it("have the ranges and settings of src/config/settings.ts in their schema (npm run chart)", () => {
    expect(withSettings(readSchema())).toEqual(readSchema());
    expect(SETTING_ENTRIES.length).toBe(
      Object.keys(readSchema().properties.settings!.properties).length + FIXED_SETTINGS.length,
    );
    for (const name of FIXED_SETTINGS) expect(Object.keys(SETTINGS.properties)).toContain(name);
  });

  it("each have a default and a schema", () => {
    const { global: _, ...properties } = readSchema().properties;
    expect(Object.keys(read("helm/lossd/values.yaml")).sort()).toEqual(Object.keys(properties).sort());
  });
});
