/** The files in deploy/ agree with the server: ports, paths, settings, labels, times, metrics. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service as KubernetesService, ServiceAccount } from "kubernetes-models/v1";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { SETTINGS } from "../../src/config.ts";
import { VERSION } from "../../src/version.ts";
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
    const files = readdirSync(join(ROOT, "kubernetes")).filter((file) => file !== "kustomization.yaml");
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

  it("waits longer than the server drains, and lets nothing out", () => {
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

  it("is probed on paths that answer", async () => {
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      if (container[probe] === undefined) continue;
      expect((await service().get(container[probe].httpGet.path)).status, probe).toBe(200);
    }
  });
});

it("the dashboard asks for metrics that are there", async () => {
  const dashboard = JSON.parse(readFileSync(join(ROOT, "grafana/lossd.json"), "utf8"));
  const page = (await service().get("/metrics")).text;
  const asked = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.flatMap(({ expr }) => expr.match(/\b(?:lossd|nodejs)_\w+/g) ?? []),
  );
  expect(new Set(asked).size).toBeGreaterThan(7);
  for (const name of new Set<string>(asked)) {
    expect(page).toContain(`# TYPE ${name.replace(/_(?:bucket|sum|count)$/, "")} `);
  }
});
