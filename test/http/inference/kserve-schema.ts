/**
 * Cuts the schema of an InferenceService out of KServe's published definition, config/crd/full/serving.kserve.io_inferenceservices.yaml of
 * the release named below: `node test/http/inference/kserve-schema.ts FILE` writes test/http/inference/kserve-schema.json. Of the predictor's many members only those
 * that deploy/ uses keep their inside; descriptions are left out, and members that are not named are refused, as `kubectl apply` does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";

const RELEASE = "v0.15.2";
const KEPT = ["minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "timeout", "containers"];

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  [key: string]: unknown;
}

function strict(schema: Schema): Schema {
  const { description: _, properties, items, additionalProperties, ...rest } = schema;
  const members = Object.entries(properties ?? {}).map(([name, inner]) => [name, strict(inner)] as const);
  return {
    ...rest,
    ...(items === undefined ? {} : { items: strict(items) }),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(members), additionalProperties: false }),
    ...(typeof additionalProperties === "object"
      ? { additionalProperties: strict(additionalProperties) }
      : {}),
  };
}

const [, , file] = process.argv;
const definition = parse(readFileSync(file!, "utf8"));
const { schema } = definition.spec.versions.find(({ name }: { name: string }) => name === "v1beta1");
const predictor: Schema = schema.openAPIV3Schema.properties.spec.properties.predictor;
for (const name of Object.keys(predictor.properties ?? {})) {
  if (!KEPT.includes(name)) predictor.properties![name] = {};
}
const cut = { $comment: `kserve ${RELEASE}, v1beta1 spec.predictor`, ...strict(predictor) };
writeFileSync(new URL("kserve-schema.json", import.meta.url), `${JSON.stringify(cut)}\n`);
