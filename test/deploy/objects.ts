/** Objects of Kubernetes: how they are built here, and the published schemas that they are held to. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import {
  PrometheusRule,
  ServiceMonitor,
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { Ingress, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Pod, Service, ServiceAccount } from "kubernetes-models/v1";
import { parse, parseAllDocuments } from "yaml";

export const DEPLOY = join(import.meta.dirname, "../../deploy");

/** Classes that validate, made from the published schemas. */
export const MODELS = {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  HTTPRoute,
  Ingress,
  NetworkPolicy,
  Pod,
  PodDisruptionBudget,
  PrometheusRule,
  Service,
  ServiceAccount,
  ServiceMonitor,
};

// biome-ignore lint/suspicious/noExplicitAny: objects of any kind
export type KubernetesObject = any;

/** A YAML file of deploy/. */
export const read = (file: string): KubernetesObject => parse(readFileSync(join(DEPLOY, file), "utf8"));

/** Whether a program is missing. */
export const isAbsent = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args).status !== 0;

/** The objects of a YAML stream, by kind. Throws if a kind comes twice. */
export function byKind(text: string): Record<string, KubernetesObject> {
  const found: Record<string, KubernetesObject> = {};
  for (const document of parseAllDocuments(text)) {
    if (document.errors.length > 0) throw document.errors[0];
    const object = document.toJS();
    if (object === null) continue;
    if (object.kind in found) throw new Error(`two objects of kind ${object.kind}`);
    found[object.kind] = object;
  }
  return found;
}

/** Throws where an object is invalid by its published schema. */
export function validate({ apiVersion, kind, ...rest }: KubernetesObject): void {
  const Model = MODELS[kind as keyof typeof MODELS];
  if (Model?.apiVersion !== apiVersion) throw new Error(`no schema for ${kind} of ${apiVersion}`);
  new Model(rest).validate();
}

/**
 * Paths of fields that the schema does not have, which the classes accept and the API server ignores or rejects. A validator reads every
 * field that it knows, so the fields that are left unread are unknown.
 */
export function unknownFields(object: KubernetesObject): string[] {
  const unread = new Set<string>();
  const watch = (value: KubernetesObject, path: string): KubernetesObject => {
    if (typeof value !== "object" || value === null) return value;
    const at = (key: string): string => `${path}/${key}`;
    for (const key of Object.keys(value)) unread.add(at(key));
    return new Proxy(value, {
      get(target, key) {
        unread.delete(at(String(key)));
        return watch(Reflect.get(target, key), at(String(key)));
      },
    });
  };
  const Model = MODELS[object.kind as keyof typeof MODELS];
  Reflect.apply(Model.prototype.validate, watch(object, ""), []);
  return [...unread];
}
