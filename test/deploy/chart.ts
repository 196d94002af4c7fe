/** Renders the chart. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import type { KubernetesObject } from "./objects.ts";
import { byKind, DEPLOY, isAbsent } from "./objects.ts";

export const CHART = join(DEPLOY, "helm/lossd");
/** A helm that `go install` has built takes itself for one of an old Kubernetes. */
export const KUBE = ["--kube-version", "1.34.0"];

export const noHelm = isAbsent("helm", "version");
/** The title of tests that need helm, with the reason if they are skipped. */
export const withReason = (title: string): string =>
  noHelm ? `${title} (skipped, because there is no helm: go install helm.sh/helm/v3/cmd/helm@latest)` : title;

export interface Rendering {
  readonly objects: Record<string, KubernetesObject>;
  readonly error: string;
}

export function render(values: object = {}, chart = CHART, release = "lossd"): Rendering {
  const args = ["template", release, chart, ...KUBE, "--values", "-"];
  const { status, stdout, stderr } = spawnSync("helm", args, { input: JSON.stringify(values) });
  const error = stderr.toString().replaceAll(/^.*found symbolic link.*\n/gm, "");
  return { objects: status === 0 ? byKind(stdout.toString()) : {}, error };
}

/** Objects by kind. Expects that there was no error. */
export function objectsOf(values: object = {}, chart?: string, release?: string): Rendering["objects"] {
  const { objects, error } = render(values, chart, release);
  expect(error).toBe("");
  return objects;
}
