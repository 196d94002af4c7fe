/** docs/operate.md is right: its commands, sizes, queries, alerts, values, times and messages. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { PROBLEMS } from "../../src/problems.ts";
import { chooseBudget } from "../../src/server/memory-budget.ts";
import { VERSION } from "../../src/version.ts";
import { CHART, KUBE, noHelm, render } from "../deploy/chart.ts";
import { isAbsent, read } from "../deploy/objects.ts";
import { blocksOf, readPage, tableOf } from "../support/blocks.ts";
import { startProcess } from "../support/process.ts";
import { useService } from "../support/service.ts";
import { dial, head } from "../support/socket.ts";

const ROOT = join(import.meta.dirname, "../..");
const MIB = 2 ** 20;
const service = useService();
const page = readPage("docs/operate.md");
const commands = blocksOf(page).flatMap(({ text }) => text.trim().split("\n"));

interface Rule {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly runbook_url: string };
}

/** How many JSON bodies of the largest length reserve memory at once in a process with this budget. */
async function largestBodiesOf(budget: number): Promise<number> {
  const server = await startProcess({ WORKERS: "1", MEMORY_BUDGET: String(budget), DRAIN_LAG_MS: "0" });
  const reserved = async (): Promise<number> => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^lossd_reserved_bytes (.*)$/m.exec(metrics)![1]);
  };
  for (let count = 0; ; count++) {
    const before = await reserved();
    const { socket } = await dial(server);
    // A body reserves with its first byte.
    socket.write(`${head("/v1/log_softmax", readConfig({}).BODY_LIMIT)}{`);
    // Shorter than the 2 s after which a slow body ends for others that need its memory.
    const grows = expect.poll(reserved, { timeout: 1500 }).toBeGreaterThan(before);
    const hasGrown = await grows.then(
      () => true,
      () => false,
    );
    if (!hasGrown) return count;
  }
}

const rules: Rule[] = read("prometheus/lossd.rules.yaml").groups.flatMap(
  ({ rules: each }: { rules: Rule[] }) => each,
);

describe("commands", () => {
  it("are those that the tests below check, and two more", () => {
    const programs = commands.map((command) => command.split(" ", 1)[0]);
    expect([...new Set(programs)].sort()).toEqual(["cosign", "docker", "helm", "kubectl"]);
    for (const { language } of blocksOf(page)) expect(language).toBe("sh");
  });

  it.for(commands.filter((command) => /^helm (?:upgrade|install)/.test(command)))(
    "%s",
    (command, { skip }) => {
      skip(noHelm, "there is no helm");
      const args = command
        .split(" ")
        .slice(1)
        .filter((word) => !["upgrade", "install", "--install", "--reset-then-reuse-values"].includes(word))
        .map((word) => word.replace(/^(?:oci:.*|deploy\/helm\/lossd)$/, CHART));
      const { stderr, status } = spawnSync("helm", ["template", ...args, ...KUBE]);
      expect(stderr.toString().replaceAll(/^.*found symbolic link.*\n/gm, "")).toBe("");
      expect(status).toBe(0);
    },
  );

  it("build what kustomize builds, and a secret of a file of tokens", ({ skip }) => {
    skip(isAbsent("kubectl", "version", "--client"), "there is no kubectl");
    for (const [, folder] of commands.join("\n").matchAll(/^kubectl apply -k (\S+)$/gm))
      expect(spawnSync("kubectl", ["kustomize", join(ROOT, folder!)]).status).toBe(0);
    const create = commands.find((command) => command.startsWith("kubectl create secret"))!;
    const [, ...args] = create
      .replace("--from-file=tokens", `--from-file=tokens=${join(ROOT, "LICENSE")}`)
      .split(" ");
    const secret = spawnSync("kubectl", [...args, "--dry-run=client", "--output=name"]).stdout.toString();
    expect(secret).toBe("secret/lossd-tokens\n");
  });

  it("name this version, settings that exist and both architectures", () => {
    const versions = [...page.matchAll(/lossd:(\d[\d.]*)|--version ([\d.]+)/g)].map(
      ([, tag, chart]) => tag ?? chart,
    );
    expect(versions).toEqual(versions.map(() => VERSION));
    expect(versions.length).toBeGreaterThan(4);
    for (const [, name] of page.matchAll(/--env ([A-Z_]+)=/g))
      expect(SETTINGS.properties).toHaveProperty(name!);
    expect(page).toContain("docker buildx build --platform linux/amd64,linux/arm64 ");
  });
});

describe("sizes", () => {
  const rows = tableOf(page, "for").map(([title, workers, budget, limit, cpu, bodies]) => ({
    title: title!,
    workers: Number(workers),
    budget: Number.parseInt(budget!, 10) * MIB,
    limit: Number.parseInt(limit!, 10) * MIB,
    cpu: Number(cpu),
    bodies: Number(bodies),
  }));

  it.each(rows)("for $title hold together", async ({ workers, budget, limit, cpu, bodies }) => {
    expect(chooseBudget(budget, workers, limit).notice).toBeUndefined();
    expect(cpu).toBe(workers);
    expect(await largestBodiesOf(budget)).toBe(bodies / workers);
  });

  it.for(rows)("for $title are accepted by the chart", ({ workers, budget, limit, cpu }, { skip }) => {
    skip(noHelm, "there is no helm");
    const memory = `${limit / MIB}Mi`;
    const resources = { requests: { cpu: String(cpu), memory }, limits: { memory } };
    expect(render({ workers, memoryBudget: budget, resources }).error).toBe("");
  });

  it("have the budget that lossd chooses on the machine, and those of the manifests as the default", () => {
    const [, byDefault, , machine] = rows;
    expect(chooseBudget(0, machine!.workers, machine!.limit).bytes).toBe(machine!.budget);
    expect(read("helm/lossd/values.yaml").memoryBudget).toBe(byDefault!.budget);
    expect(read("helm/lossd/values.yaml").resources.limits.memory).toBe("1Gi");
  });
});

describe("alerts", () => {
  it("have a runbook each, in the order of the rules, with the severity", () => {
    const [, text] = page.split("\n## Alerts\n");
    const sections = text!.split("\n## ")[0]!.split("\n### ").slice(1);
    const runbooks = sections.map((section) => /^(\w+)\n\n\*\*(\w+)\.\*\*/.exec(section)!.slice(1));
    expect(runbooks.map(([alert, severity]) => [alert, severity!.toLowerCase()])).toEqual(
      rules.map(({ alert, labels }) => [alert, labels.severity]),
    );
  });

  it("link to their runbooks on the server itself", async () => {
    for (const { alert, annotations } of rules) {
      const [path, anchor] = annotations.runbook_url.split("#");
      const html = await (await fetch(`${service().url}${path}`)).text();
      expect(html, alert).toContain(`id="${anchor}"`);
      expect(html, alert).toContain(`>${alert}<`);
    }
  });

  it("and the five numbers ask for metrics of the server", async () => {
    const metrics = await (await fetch(`${service().url}/metrics`)).text();
    const queries = tableOf(page, "number").map(([, query]) => query!);
    expect(queries.length).toBe(5);
    for (const name of queries.flatMap((query) => query.match(/\b(?:lossd|nodejs)_\w+/g)!))
      expect(metrics).toContain(`# TYPE ${name.replace(/_bucket$/, "")} `);
  });
});

it("drains in the times of the settings and the manifests", () => {
  const times = tableOf(page, "after SIGTERM").map(([time]) => Number.parseFloat(time!));
  const { DRAIN_LAG_MS, DRAIN_LIMIT_MS } = readConfig({});
  const { terminationGracePeriodSeconds } = read("kubernetes/deployment.yaml").spec.template.spec;
  expect(times).toEqual([0, DRAIN_LAG_MS / 1000, DRAIN_LIMIT_MS / 1000, terminationGracePeriodSeconds]);
});

it("names values of the chart, settings, errors and messages that exist", () => {
  const values = read("helm/lossd/values.yaml");
  const codes = [...page.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  const paths = codes.filter((code) => /^[a-z][a-zA-Z]*\.[a-zA-Z]+$/.test(code));
  expect(paths.length).toBeGreaterThan(7);
  for (const path of paths)
    expect(
      path.split(".").reduce((inner, key) => inner?.[key], values),
      path,
    ).toBeDefined();
  for (const name of codes.filter((code) => /^[A-Z]+(?:_[A-Z]+)+$/.test(code) && !code.startsWith("OTEL_")))
    expect(SETTINGS.properties).toHaveProperty(name);
  for (const [, status, code] of page.matchAll(/(\d{3}) `(\w+)`/g))
    expect(PROBLEMS).toHaveProperty([code!, "status"], Number(status));
  const source = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(ROOT, "src", file), "utf8"))
    .join("\n");
  const messages = codes.filter(
    (code) => /^[a-z]+ [a-z ]+$|^cannot /.test(code) && !/^(?:lossd|helm|kubectl) /.test(code),
  );
  expect(messages.length).toBeGreaterThan(5);
  for (const message of messages) expect(source, message).toContain(message);
});

it("links to headings that exist", async () => {
  const html = await (await fetch(`${service().url}/guide/operate`)).text();
  const anchors = [...page.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor!);
  expect(anchors.length).toBeGreaterThan(4);
  for (const anchor of anchors) expect(html).toContain(`id="${anchor}"`);
  for (const [, file, anchor] of page.matchAll(/\]\(([\w-]+)\.md#([\w-]+)\)/g)) {
    const other = await (await fetch(`${service().url}/guide/${file}`)).text();
    expect(other, `${file}#${anchor}`).toContain(`id="${anchor}"`);
  }
});
