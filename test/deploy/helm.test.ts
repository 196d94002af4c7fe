/** The chart renders what deploy/kubernetes has, valid, and follows its values. */
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { readConfig } from "../../src/config/config.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { VERSION } from "../../src/version.ts";
import { useService } from "../support/service.ts";
import type { Rendering } from "./chart.ts";
import { CHART, KUBE, noHelm, objectsOf, withReason } from "./chart.ts";
import type { KubernetesObject } from "./objects.ts";
import { byKind, DEPLOY, isAbsent, unknownFields, validate } from "./objects.ts";

const service = useService();

const containerOf = ({ Deployment }: Rendering["objects"]) => Deployment.spec.template.spec.containers[0];

function environmentOf(objects: Rendering["objects"]): Record<string, string> {
  const env = containerOf(objects).env as { name: string; value: string }[];
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
}

/** Every part of the chart at once. */
const ALL = {
  tokens: { secret: "lossd-tokens" },
  tracing: {
    endpoint: "http://otel-collector.monitoring.svc:4318",
    env: [{ name: "OTEL_TRACES_SAMPLER", value: "always_on" }],
  },
  monitoring: { serviceMonitor: { enabled: true }, rules: { enabled: true }, dashboard: { enabled: true } },
  networkPolicy: { clients: [{ ipBlock: { cidr: "10.0.0.0/8" } }] },
  ingress: { enabled: true, className: "haproxy", host: "lossd.example.com", tlsSecret: "certificate" },
  httpRoute: { enabled: true, parentRefs: [{ name: "public" }], hostnames: ["lossd.example.com"] },
  settings: { BODY_LIMIT: 134_217_728, LOG_LEVEL: "warn" },
  service: { annotations: { a: "b" } },
  serviceAccount: { annotations: { a: "b" } },
  image: { pullPolicy: "Always" },
  imagePullSecrets: [{ name: "registry" }],
  podLabels: { team: "ml" },
  podAnnotations: { a: "b" },
  nodeSelector: { "kubernetes.io/arch": "arm64" },
  tolerations: [{ key: "arm", operator: "Exists" }],
  affinity: { nodeAffinity: {} },
  priorityClassName: "high",
};

/** Nothing that a value can leave out. */
const NOTHING = {
  autoscaling: { enabled: false },
  networkPolicy: { enabled: false },
  podDisruptionBudget: { enabled: false },
  serviceAccount: { create: false },
};

const DRAIN = { lagMs: 60_000, limitMs: 600_000 };

/** A copy of a folder of deploy/, until the test is over. */
function copyOf(path: string, options = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "lossd-deploy-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(join(DEPLOY, path), folder, { recursive: true, ...options });
  return folder;
}

/** Labels that Helm's packaging adds. */
const PACKAGING = /^(?:helm\.sh\/chart|app\.kubernetes\.io\/(?:instance|managed-by|version))$/;

/** An object without the labels of the packaging, with its variables in order. */
function plain(value: KubernetesObject): KubernetesObject {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !PACKAGING.test(key))
    .map(([key, each]) => [key, plain(each)] as const);
  const env = entries.find(([key]) => key === "env")?.[1] as { name: string }[] | undefined;
  env?.sort((a, b) => a.name.localeCompare(b.name));
  return Object.fromEntries(entries);
}

describe.skipIf(noHelm)(withReason("the chart"), () => {
  it("passes helm's own checks", () => {
    const { stdout, status } = spawnSync("helm", ["lint", "--strict", ...KUBE, CHART]);
    expect(stdout.toString()).toContain("0 chart(s) failed");
    expect(status).toBe(0);
  });

  it.for([
    ["nothing", {}, ""],
    ["a ServiceMonitor", { monitoring: { serviceMonitor: { enabled: true } } }, "monitoring"],
    ["tokens", { tokens: { secret: "lossd-tokens" } }, "tokens"],
    ["spans", { tracing: { endpoint: "http://otel-collector.monitoring.svc:4318" } }, "tracing"],
  ] as const)("with %s, equals what kustomize builds", ([, values, component], { skip }) => {
    skip(isAbsent("kubectl", "version", "--client"), "there is no kubectl");
    const folder = copyOf("kubernetes");
    const file = join(folder, "kustomization.yaml");
    if (component !== "") writeFileSync(file, `${readFileSync(file, "utf8")}\ncomponents: [${component}]\n`);
    const built = spawnSync("kubectl", ["kustomize", folder]);
    expect(built.stderr.toString()).toBe("");
    const { Pod: _, ...objects } = objectsOf(values);
    expect(plain(objects)).toEqual(plain(byKind(built.stdout.toString())));
  });

  it.for([
    ["nothing", {}, 7],
    ["everything", ALL, 12],
    ["nothing that can be left out", NOTHING, 3],
  ] as const)("with %s, is valid by the published schemas", ([, values, count]) => {
    const objects = Object.values(objectsOf(values));
    expect(objects.length).toBe(count);
    for (const object of objects) {
      expect(() => validate(object)).not.toThrow();
      expect(unknownFields(object), object.kind).toEqual([]);
    }
  });

  it.each(["123", "true", "null", "1e3", "a: b", "#a"])("writes the text %s of any value as text", (text) => {
    const { Deployment, Ingress, Service } = objectsOf({
      ...ALL,
      fullnameOverride: "true",
      serviceAccount: { create: false, name: text },
      priorityClassName: text,
      tokens: { secret: text, key: "123" },
      ingress: { ...ALL.ingress, className: text, tlsSecret: text },
    });
    const { spec } = Deployment.spec.template;
    const { secret } = spec.volumes[0];
    expect([
      spec.priorityClassName,
      spec.serviceAccountName,
      secret.secretName,
      Ingress.spec.ingressClassName,
      Ingress.spec.tls[0].secretName,
    ]).toEqual(Array(5).fill(text));
    expect([Service.metadata.name, secret.items[0].key]).toEqual(["true", "123"]);
  });

  it("selects its own pods only, beside another release and the pod of its test", () => {
    const [one, other] = [objectsOf(ALL, CHART, "one"), objectsOf(ALL, CHART, "other")];
    const labels: Record<string, string> = one.Deployment.spec.template.metadata.labels;
    const selects = (selector: Record<string, string>, of: Record<string, string>) =>
      Object.entries(selector).every(([name, value]) => of[name] === value);
    for (const { Service, NetworkPolicy, PodDisruptionBudget, Deployment } of [one, other])
      for (const selector of [
        Service.spec.selector,
        NetworkPolicy.spec.podSelector.matchLabels,
        PodDisruptionBudget.spec.selector.matchLabels,
        Deployment.spec.selector.matchLabels,
      ]) {
        expect(selects(selector, labels)).toBe(Deployment === one.Deployment);
        expect(selects(selector, one.Pod.metadata.labels)).toBe(false);
      }
    expect(one.ServiceMonitor.spec.selector.matchLabels).toEqual(one.Service.spec.selector);
    expect(selects(one.ServiceMonitor.spec.selector.matchLabels, one.Service.metadata.labels)).toBe(true);
    const names = (objects: Rendering["objects"]) =>
      Object.values(objects).map(({ metadata }) => metadata.name);
    expect(names(one).filter((name) => names(other).includes(name))).toEqual([]);
    expect(new Set(names(one))).toEqual(new Set(["one-lossd", "one-lossd-dashboard", "one-lossd-check"]));
    expect(one.Ingress.spec.rules[0].http.paths[0].backend.service.name).toBe(one.Service.metadata.name);
    expect(one.HTTPRoute.spec.rules[0].backendRefs[0]).toEqual({ name: one.Service.metadata.name, port: 80 });
  });

  it.each(["LoadBalancer", "NodePort"])("keeps metrics out of a Service of type %s", (type) => {
    const args = ["template", "one", CHART, ...KUBE, "--set", `service.type=${type}`];
    const shown = spawnSync("helm", [...args, "--show-only", "templates/service.yaml"]).stdout.toString();
    const services = parseAllDocuments(shown).map((document) => document.toJS().spec);
    const named = services.map((spec) => [spec.type, spec.ports.map(({ name }: { name: string }) => name)]);
    expect(named).toEqual([
      [type, ["http"]],
      [undefined, ["metrics"]],
    ]);
    expect(services[1].selector).toEqual(services[0].selector);
  });

  it("pulls the image of its version, another tag, or a digest instead of a tag", () => {
    const digest = `sha256:${"0".repeat(64)}`;
    const imageOf = (image: object) => containerOf(objectsOf({ image })).image;
    expect(imageOf({})).toBe(`lossd:${VERSION}`);
    expect(imageOf({ repository: "ghcr.io/example/lossd", tag: "edge" })).toBe("ghcr.io/example/lossd:edge");
    expect(imageOf({ repository: "a/b", tag: "edge", digest })).toBe(`a/b@${digest}`);
  });

  it("listens on the image's address, or on that of its values", () => {
    expect(environmentOf(objectsOf())).not.toHaveProperty("HOST");
    expect(environmentOf(objectsOf({ host: "::" })).HOST).toBe("::");
  });

  it("passes every setting on in digits and words that the server reads", () => {
    const settings = { BODY_LIMIT: 2 ** 29, STREAM_LIMIT: 2 ** 52, COMPRESS_RESPONSES: "true" };
    const environment = environmentOf(objectsOf({ ...ALL, settings, memoryBudget: 0, drain: DRAIN }));
    const { OTEL_TRACES_SAMPLER, ...own } = environment;
    expect(OTEL_TRACES_SAMPLER).toBe("always_on");
    for (const name of Object.keys(own)) expect(Object.keys(SETTINGS.properties)).toContain(name);
    expect(readConfig(environment)).toMatchObject({
      ...settings,
      WORKERS: 1,
      METRICS_PORT: 9090,
      MEMORY_BUDGET: 0,
      DRAIN_LAG_MS: 60_000,
      DRAIN_LIMIT_MS: 600_000,
      TOKENS_FILE: "/etc/lossd/tokens",
      OTEL_EXPORTER_OTLP_ENDPOINT: ALL.tracing.endpoint,
    });
  });

  it("kills a pod only 10 s after its longest drain", () => {
    const graceOf = (drain: object) =>
      objectsOf({ drain }).Deployment.spec.template.spec.terminationGracePeriodSeconds;
    expect(graceOf(DRAIN)).toBe(610);
    expect(graceOf({ lagMs: 60_000 })).toBe(70);
    expect(graceOf({ lagMs: 0, limitMs: 1 })).toBe(11);
  });

  it("has a fixed number of pods without autoscaling", () => {
    const objects = objectsOf({ autoscaling: { enabled: false }, replicas: 3 });
    expect(objects.Deployment.spec.replicas).toBe(3);
    expect(objects.HorizontalPodAutoscaler).toBeUndefined();
    expect(objectsOf().Deployment.spec.replicas).toBeUndefined();
  });

  it.for([
    ["http://collector.monitoring:4318", 4318],
    ["http://collector.monitoring/otlp", 80],
    ["https://collector.monitoring", 443],
  ] as const)("lets spans out to the port of %s", ([endpoint, port]) => {
    const { NetworkPolicy } = objectsOf({ tracing: { endpoint } });
    expect(NetworkPolicy.spec.egress[0].ports).toEqual([{ port }]);
  });

  it("admits the pod of its test beside the clients", () => {
    const { NetworkPolicy, Pod } = objectsOf(ALL);
    const { from } = NetworkPolicy.spec.ingress[0];
    expect(from[0]).toEqual(ALL.networkPolicy.clients[0]);
    expect(Pod.metadata.labels).toMatchObject(from[1].podSelector.matchLabels);
  });

  it("has the alerts of deploy/prometheus, with runbooks at the ingress, at another address, or without a host", () => {
    const groupsOf = (values: object) => objectsOf(values).PrometheusRule.spec.groups;
    const expected = (base: string) => {
      const text = readFileSync(join(DEPLOY, "prometheus/lossd.rules.yaml"), "utf8");
      return parse(text.replaceAll("runbook_url: /guide/", `runbook_url: ${base}/guide/`)).groups;
    };
    const rules = { enabled: true };
    expect(groupsOf({ monitoring: { rules } })).toEqual(expected(""));
    const ingress = { enabled: true, host: "lossd.example.com" };
    expect(groupsOf({ monitoring: { rules }, ingress })).toEqual(expected("http://lossd.example.com"));
    expect(groupsOf(ALL)).toEqual(expected("https://lossd.example.com"));
    const runbookUrl = "https://docs.example.com/lossd/";
    expect(groupsOf({ ...ALL, monitoring: { rules: { enabled: true, runbookUrl } } })).toEqual(
      expected("https://docs.example.com/lossd"),
    );
  });

  it("has the dashboard of deploy/grafana", () => {
    const { data } = objectsOf(ALL).ConfigMap;
    expect(JSON.parse(data["lossd.json"])).toEqual(
      JSON.parse(readFileSync(join(DEPLOY, "grafana/lossd.json"), "utf8")),
    );
  });

  it("renders the same from the archive that helm package makes, which has no links", () => {
    const folder = mkdtempSync(join(tmpdir(), "lossd-chart-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { status } = spawnSync("helm", ["package", CHART, "--destination", folder]);
    expect(status).toBe(0);
    expect(objectsOf(ALL, join(folder, `lossd-${VERSION}.tgz`))).toEqual(objectsOf(ALL));
  });

  it("tells what to do next, and what is open", () => {
    const folder = copyOf("helm/lossd", { dereference: true });
    const notes = readFileSync(join(folder, "templates/NOTES.txt"), "utf8");
    const text = `{{- define "notes" }}${notes}{{ end }}\napiVersion: v1\nkind: Secret\ntext: {{ include "notes" . | toJson }}\n`;
    writeFileSync(join(folder, "templates/notes.yaml"), text);
    const notesOf = (values: object): string => objectsOf(values, folder).Secret.text;
    expect(notesOf({})).toContain("Every request is accepted, because tokens.secret is not set.");
    expect(notesOf({})).toContain("helm test lossd");
    expect(notesOf({})).toContain("port-forward service/lossd 8080:80");
    expect(notesOf(ALL)).not.toContain("Every request is accepted");
    expect(notesOf(ALL)).toContain("https://lossd.example.com/");
    expect(notesOf({ monitoring: { rules: { enabled: true } } })).toContain(
      "Set monitoring.rules.runbookUrl.",
    );
  });

  it("is tested by a command that the server passes", async () => {
    const { command, workingDir } = objectsOf().Pod.spec.containers[0];
    expect(workingDir).toBeUndefined();
    const [program, ...args] = command.map((word: string) => word.replace("http://lossd:80", service().url));
    expect(program).toBe("node");
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(DEPLOY, "..") });
    expect(stdout).toMatch(/(\d+) of \1 checks passed/);
  });
});
