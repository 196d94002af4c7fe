/** The manifests of deploy/kubernetes and deploy/kserve agree with the server (ports, paths, settings, times), and are valid. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { VERSION } from "../../src/version.ts";
import { useService } from "../support/service.ts";
import { byKind, DEPLOY, isAbsent, read, unknownFields, validate } from "./objects.ts";

const service = useService();

const base = read("kubernetes/kustomization.yaml");
const components = ["monitoring", "tokens", "tracing"];
const kinds = Object.fromEntries(
  [...(base.resources as string[]), "monitoring/servicemonitor.yaml"].map((file) => {
    const resource = read(`kubernetes/${file}`);
    return [resource.kind as string, resource];
  }),
);
const pod = kinds.Deployment.spec.template.spec;
const predictor = read("kserve/inferenceservice.yaml").spec.predictor;
const containers = [pod.containers[0], predictor.containers[0]];
const LABELS = { "app.kubernetes.io/name": "lossd" };

describe("kubernetes", () => {
  it.each(Object.keys(kinds))("%s is valid by its published schema, which refuses a wrong type", (kind) => {
    const resource = kinds[kind];
    expect(() => validate(resource)).not.toThrow();
    expect(() => validate({ ...resource, metadata: { name: 1 } })).toThrow();
  });

  it.each(Object.keys(kinds))("%s has only fields of its published schema", (kind) => {
    const resource = kinds[kind];
    expect(unknownFields(resource)).toEqual([]);
    expect(unknownFields({ ...resource, spce: {} })).toEqual(["/spce"]);
  });

  it("lists every file, each of its own kind", () => {
    const files = readdirSync(join(DEPLOY, "kubernetes")).filter(
      (file) => file.endsWith(".yaml") && file !== "kustomization.yaml",
    );
    expect(base.resources.toSorted()).toEqual(files.sort());
    expect(Object.keys(kinds).length).toBe(files.length + 1);
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
    const env = (name: string) =>
      Number(pod.containers[0].env.find((each: { name: string }) => each.name === name).value);
    const longest = Math.max(env("DRAIN_LAG_MS"), env("DRAIN_LIMIT_MS"));
    expect(pod.terminationGracePeriodSeconds * 1000).toBe(longest + 10_000);
    const defaults = readConfig({});
    for (const name of ["DRAIN_LAG_MS", "DRAIN_LIMIT_MS"] as const) expect(env(name)).toBe(defaults[name]);
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

describe("the component that accepts tokens", () => {
  const patch = read("kubernetes/tokens/deployment.yaml").spec.template.spec;

  it("sets TOKENS_FILE to a key of a secret that is mounted for reading", () => {
    const [container] = patch.containers;
    const [mount] = container.volumeMounts;
    const [volume] = patch.volumes;
    const [item] = volume.secret.items;
    expect(container.env).toEqual([{ name: "TOKENS_FILE", value: `${mount.mountPath}/${item.path}` }]);
    expect(mount).toMatchObject({ name: volume.name, readOnly: true });
    const text = readFileSync(join(DEPLOY, "kubernetes/tokens/kustomization.yaml"), "utf8");
    expect(text).toContain(`secret generic ${volume.secret.secretName} --from-file=${item.key}`);
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

  it("patches the base's resources", () => {
    for (const patch of [deployment, policy]) {
      const { apiVersion, kind, metadata } = kinds[patch.kind];
      expect(patch).toMatchObject({ apiVersion, kind, metadata: { name: metadata.name } });
    }
  });
});

it("all components together are built by kustomize from the comment's line in the base, and valid", ({
  skip,
}) => {
  skip(isAbsent("kubectl", "version", "--client"), "there is no kubectl");
  const folder = mkdtempSync(join(tmpdir(), "lossd-deploy-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(join(DEPLOY, "kubernetes"), folder, { recursive: true });
  const file = join(folder, "kustomization.yaml");
  const line = `components: [${components.join(", ")}]`;
  const text = readFileSync(file, "utf8");
  expect(text).toContain(`# ${line}\n`);
  writeFileSync(file, text.replace(`# ${line}`, line));
  const built = spawnSync("kubectl", ["kustomize", folder]);
  expect(built.stderr.toString()).toBe("");
  const objects = byKind(built.stdout.toString());
  expect(Object.keys(objects).sort()).toEqual(Object.keys(kinds).sort());
  for (const object of Object.values(objects)) {
    expect(() => validate(object)).not.toThrow();
    expect(unknownFields(object)).toEqual([]);
  }
  const names = objects.Deployment.spec.template.spec.containers[0].env.map(
    ({ name }: { name: string }) => name,
  );
  expect(names).toEqual(
    expect.arrayContaining(["WORKERS", "MEMORY_BUDGET", "TOKENS_FILE", "OTEL_EXPORTER_OTLP_ENDPOINT"]),
  );
});
