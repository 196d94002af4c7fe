/** The dashboard and the alerts ask for metrics that the server has, and every alert leads to its part of docs/operate.md. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startProcess } from "../support/process.ts";
import { DEPLOY, isAbsent, read } from "./objects.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

describe("the dashboard and the alerts", () => {
  const dashboard = JSON.parse(readFileSync(join(DEPLOY, "grafana/lossd.json"), "utf8"));
  const rules = (read("prometheus/lossd.rules.yaml").groups as { rules: Rule[] }[]).flatMap(
    (group) => group.rules,
  );
  const queries: string[] = [
    ...dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.map(({ expr }) => expr),
    ),
    ...rules.map(({ expr }) => expr),
  ];

  it("ask for metrics and label values that a cluster or a single process has", async () => {
    const pages = ["1", "2"].map(async (WORKERS) => {
      const { url } = await startProcess({ WORKERS, DRAIN_LAG_MS: "0" });
      return (await fetch(`${url}/metrics`)).text();
    });
    const page = (await Promise.all(pages)).join("");
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
    const base = read("kubernetes/kustomization.yaml");
    const monitor = read("kubernetes/monitoring/servicemonitor.yaml");
    expect(rules.find(({ alert }) => alert === "LossdDown")!.expr).toContain(
      `job="${base.labels[0].pairs[monitor.spec.jobLabel]}"`,
    );
  });

  it("the alerts are valid for promtool", ({ skip }) => {
    skip(isAbsent("promtool", "--version"), "there is no promtool");
    const checked = spawnSync("promtool", ["check", "rules", join(DEPLOY, "prometheus/lossd.rules.yaml")]);
    expect(checked.stderr.toString()).toBe("");
    expect(checked.status).toBe(0);
  });
});
