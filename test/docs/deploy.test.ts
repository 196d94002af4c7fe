/** The files in deploy/ agree with the server: ports, paths, settings, labels, times, metrics. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service as KubernetesService, ServiceAccount } from "kubernetes-models/v1";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { SETTINGS } from "../../src/config.ts";
import { VERSION } from "../../src/version.ts";
import { startProcess } from "../support/process.ts";
import { useService } from "../support/service.ts";

const ROOT = join(import.meta.dirname, "../..", "deploy");
const service = useService();

// biome-ignore lint/suspicious/noExplicitAny: files of any form
const read = (file: string): any => parse(readFileSync(join(ROOT, file), "utf8"));

const base = read("kubernetes/kustomization.yaml");
const kinds = Object.fromEntries(
  (base.resources as string[]).map((file) => {
    const resource = read(`kubernetes/${file}`);
    return [resource.kind as string, resource];
  }),
);
const pod = kinds.Deployment.spec.template.spec;
const predictor = read("kserve/inferenceservice.yaml").spec.predictor;
const containers = [pod.containers[0], predictor.containers[0]];
const LABELS = { "app.kubernetes.io/name": "lossd" };

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly description: string };
}

const isAbsent = (program: string, ...args: string[]): boolean => spawnSync(program, args).status !== 0;

/** The published schemas, as classes that validate. */
const MODELS = {
  Deployment,
  HorizontalPodAutoscaler,
  NetworkPolicy,
  PodDisruptionBudget,
  Service: KubernetesService,
  ServiceAccount,
  ServiceMonitor,
};

describe("kubernetes", () => {
  it.each(Object.entries(MODELS))(
    "%s is valid by its published schema, which refuses a wrong type",
    (kind, Model) => {
      const { apiVersion, ...resource } = kinds[kind];
      expect(apiVersion).toBe(Model.apiVersion);
      expect(() => new Model(resource).validate()).not.toThrow();
      expect(() => new Model({ ...resource, metadata: { name: 1 } } as never).validate()).toThrow();
    },
  );

  it("lists every file, each of its own kind", () => {
    const files = readdirSync(join(ROOT, "kubernetes")).filter(
      (file) => file.endsWith(".yaml") && file !== "kustomization.yaml",
    );
    expect(base.resources.toSorted()).toEqual(files.sort());
    expect(Object.keys(kinds).sort()).toEqual([
      "Deployment",
      "HorizontalPodAutoscaler",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Service",
      "ServiceAccount",
      "ServiceMonitor",
    ]);
  });

  it("selects the pods by one label everywhere", () => {
    expect(kinds.Deployment.spec.template.metadata.labels).toEqual(LABELS);
    expect(kinds.Service.spec.selector).toEqual(LABELS);
    for (const kind of ["Deployment", "PodDisruptionBudget", "ServiceMonitor"]) {
      expect(kinds[kind].spec.selector.matchLabels, kind).toEqual(LABELS);
    }
    expect(kinds.NetworkPolicy.spec.podSelector.matchLabels).toEqual(LABELS);
    expect(kinds.HorizontalPodAutoscaler.spec.scaleTargetRef.name).toBe(kinds.Deployment.metadata.name);
  });

  it("names ports that the container has", () => {
    const ports = new Set(pod.containers[0].ports.map(({ name }: { name: string }) => name));
    const named = [
      ...kinds.Service.spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort),
      ...kinds.NetworkPolicy.spec.ingress.flatMap(({ ports: allowed }: { ports: { port: string }[] }) =>
        allowed.map(({ port }) => port),
      ),
      ...kinds.ServiceMonitor.spec.endpoints.map(({ port }: { port: string }) => port),
      ...["startupProbe", "livenessProbe", "readinessProbe"].map(
        (probe) => pod.containers[0][probe].httpGet.port,
      ),
    ];
    for (const name of named) expect(ports).toContain(name);
  });

  it("waits longer than the server drains, and lets nothing out without a collector", () => {
    const { DRAIN_LAG_MS: lag, DRAIN_LIMIT_MS: limit } = SETTINGS.properties as unknown as Record<
      string,
      { default: number }
    >;
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(
      Math.max(lag!.default, limit!.default) + 2000,
    );
    expect(kinds.NetworkPolicy.spec.policyTypes).toContain("Egress");
    expect(kinds.NetworkPolicy.spec.egress).toBeUndefined();
  });
});

describe("kserve", () => {
  const schema = JSON.parse(
    readFileSync(join(import.meta.dirname, "../http/inference/kserve-schema.json"), "utf8"),
  );
  const accepts = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);

  it("has a predictor that its published schema accepts", () => {
    expect(read("kserve/inferenceservice.yaml").apiVersion).toBe("serving.kserve.io/v1beta1");
    expect(accepts(predictor), JSON.stringify(accepts.errors)).toBe(true);
  });

  it.each([
    ["a member that it does not have", { ...predictor, minReplica: 1 }],
    ["a text for a number", { ...predictor, scaleTarget: "8" }],
    ["a container without a name", { ...predictor, containers: [{ image: "x" }] }],
    ["a probe of no kind", { ...predictor, containers: [{ name: "x", readinessProbe: { http: {} } }] }],
  ])("would refuse %s", (_title, other) => {
    expect(accepts(other)).toBe(false);
  });
});

describe.each(["kubernetes", "kserve"])("the container of %s", (place) => {
  const container = containers[place === "kubernetes" ? 0 : 1];

  it("is this version, with settings that exist", () => {
    expect(container.image).toBe(`lossd:${VERSION}`);
    for (const { name } of container.env) expect(Object.keys(SETTINGS.properties)).toContain(name);
  });

  it("has memory for its budget and the process, and no CPU limit", () => {
    const budget = Number(container.env.find(({ name }: { name: string }) => name === "MEMORY_BUDGET").value);
    expect(container.resources.limits).toEqual({ memory: "1Gi" });
    expect(budget + 200 * 2 ** 20).toBeLessThanOrEqual(2 ** 30);
  });

  it("cannot become more than it is, and writes nothing", () => {
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("is not taken for broken by one late response", () => {
    // Kubernetes' default is 3.
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
      expect(container[probe]?.failureThreshold ?? 3, probe).toBeGreaterThanOrEqual(3);
  });

  it("is probed on paths that answer", async () => {
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      if (container[probe] === undefined) continue;
      expect((await service().get(container[probe].httpGet.path)).status, probe).toBe(200);
    }
  });
});

describe("the dashboard and the alerts", () => {
  const dashboard = JSON.parse(readFileSync(join(ROOT, "grafana/lossd.json"), "utf8"));
  const rules = (read("prometheus/lossd.rules.yaml").groups as { rules: Rule[] }[]).flatMap(
    (group) => group.rules,
  );
  const queries: string[] = [
    ...dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.map(({ expr }) => expr),
    ),
    ...rules.map(({ expr }) => expr),
  ];

  it("ask for metrics and label values that a cluster has", async () => {
    const { url } = await startProcess({ WORKERS: "2", DRAIN_LAG_MS: "0" });
    const page = await (await fetch(`${url}/metrics`)).text();
    const asked = queries.flatMap((expr) => expr.match(/\b(?:lossd|nodejs|process)_\w+/g) ?? []);
    expect(new Set(asked).size).toBeGreaterThan(15);
    for (const name of new Set(asked)) {
      expect(page).toContain(`# TYPE ${name.replace(/_(?:bucket|sum|count)$/, "")} `);
    }
    const matchers = queries.flatMap((expr) => [...expr.matchAll(/(lossd_\w+)\{([^}]*)\}/g)]);
    expect(matchers.length).toBeGreaterThan(4);
    for (const [, name, labels] of matchers) {
      for (const [, label, value] of labels!.matchAll(/(\w+)!?="([^"]*)"/g)) {
        expect(page, `${name} ${label}`).toMatch(new RegExp(`^${name}\\{.*${label}="${value}"`, "m"));
      }
    }
  });

  it("every alert says what to do", () => {
    for (const { alert, labels, annotations } of rules) {
      expect(["warning", "critical"], alert).toContain(labels.severity);
      expect(annotations.summary.length, alert).toBeGreaterThan(20);
      expect(annotations.description.length, alert).toBeGreaterThan(20);
    }
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(rules.find(({ alert }) => alert === "LossdDown")!.expr).toContain(
      `job="${kinds.Service.metadata.name}"`,
    );
  });

  it("the alerts are valid for promtool", ({ skip }) => {
    skip(isAbsent("promtool", "--version"), "there is no promtool");
    const checked = spawnSync("promtool", ["check", "rules", join(ROOT, "prometheus/lossd.rules.yaml")]);
    expect(checked.stderr.toString()).toBe("");
    expect(checked.status).toBe(0);
  });
});

describe("the component that sends spans", () => {
  const [deployment, policy] = ["deployment", "networkpolicy"].map((file) =>
    read(`kubernetes/tracing/${file}.yaml`),
  );
  const [{ env }] = deployment.spec.template.spec.containers;

  it("sets a setting that exists to an address whose port its policy lets out, beside DNS", () => {
    const [{ name, value }] = env;
    expect(Object.keys(SETTINGS.properties)).toContain(name);
    const ports = policy.spec.egress.flatMap(({ ports: allowed }: { ports: { port: number }[] }) =>
      allowed.map(({ port }) => port),
    );
    expect(ports).toEqual([Number(new URL(value).port), 53, 53]);
    const [namespace] = new URL(value).hostname.split(".").slice(1);
    const [{ to }] = policy.spec.egress;
    expect(to[0].namespaceSelector.matchLabels).toEqual({ "kubernetes.io/metadata.name": namespace });
  });

  it("patches the base's resources, and what comes of it is valid", () => {
    for (const patch of [deployment, policy]) {
      const { apiVersion, kind, metadata } = kinds[patch.kind];
      expect(patch).toMatchObject({ apiVersion, kind, metadata: { name: metadata.name } });
    }
    const { apiVersion: _, ...patched } = kinds.NetworkPolicy;
    const spec = { ...patched.spec, ...policy.spec };
    expect(() => new NetworkPolicy({ ...patched, spec }).validate()).not.toThrow();
  });

  it("is built by kustomize from the comment's line in the base", ({ skip }) => {
    skip(isAbsent("kubectl", "version", "--client"), "there is no kubectl");
    const folder = mkdtempSync(join(tmpdir(), "lossd-deploy-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    cpSync(join(ROOT, "kubernetes"), folder, { recursive: true });
    const file = join(folder, "kustomization.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("# components:", "components:"));
    const built = spawnSync("kubectl", ["kustomize", folder]);
    expect(built.stderr.toString()).toBe("");
    const resources = parseAllDocuments(built.stdout.toString()).map((document) => document.toJS());
    const find = (kind: string) => resources.find((resource) => resource.kind === kind);
    expect(find("NetworkPolicy").spec.egress).toEqual(policy.spec.egress);
    expect(find("Deployment").spec.template.spec.containers[0].env).toEqual(
      expect.arrayContaining([...env, ...pod.containers[0].env]),
    );
  });
});
