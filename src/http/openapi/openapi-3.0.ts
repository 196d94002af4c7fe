/**
 * The contract in OpenAPI 3.0, for generators that make poor code of a field with several forms: the part of the 3.1 document
 * in which a tensor is always the object `Tensor`. Same operationIds, same schema names; what it describes, the wire accepts.
 */
import type { OpenAPIV3, OpenAPIV3_1 } from "openapi-types";
import { MEDIA_TYPES } from "../limits/content-headers.ts";
import type { Example } from "./examples.ts";
import { FLAT_EXAMPLES } from "./flat-examples.ts";

type Schema = OpenAPIV3_1.SchemaObject & { readonly $ref?: string; readonly contentEncoding?: string };
type Schemas = Readonly<Record<string, Schema>>;

interface Part {
  content?: Record<string, OpenAPIV3_1.MediaTypeObject>;
}
interface Operation {
  parameters?: unknown;
  "x-codeSamples"?: unknown;
  readonly requestBody?: Part;
  responses: Readonly<Record<string, Part>>;
}

const DESCRIPTION =
  'PyTorch\'s `log_softmax`, `nll_loss` and `cross_entropy`, with their gradients, for generated clients: a tensor is always an object with `shape` and `data` or `base64`, and answers have the form of `input`. Every number is a number or, in answers, null.\n\n/openapi.json has what this document leaves out: nested lists, safetensors bodies, deprecated options, the Open Inference Protocol. Unknown fields of a request are refused; answers may gain fields, and refusals codes. Every request says with `non_finite` how answers write NaN and infinities: as null, which this document describes, or as the strings "NaN", "Infinity" and "-Infinity", for clients whose numbers read these. Tensors in base64 hold them both ways. Refusals are RFC 9457 problem documents with a stable `code`.';

/** Words of enums that ask for nested lists, or that PyTorch deprecates. */
const WORDS_LEFT_OUT: readonly unknown[] = ["nested", "elementwise_mean"];

/** What descriptions say of the forms that are left out, and what they say without. */
const PHRASES: readonly (readonly [string, string])[] = [
  [": nested lists, or objects with `data` (flat) or `base64`", ": with `data` (flat) or `base64`"],
  [" elementwise_mean is a deprecated name of mean.", ""],
  ["Left out or null", "Left out"],
];

const STYLE_DESCRIPTION =
  "How non-finite numbers of the answer are written. This document describes null. Tensors in base64 keep all of them.";

/** The 3.0 document of a 3.1 document. */
export function toOpenApi30(document: OpenAPIV3_1.Document): OpenAPIV3.Document {
  const { info, paths, components, ...rest } = structuredClone(document);
  delete info.summary;
  const kept = Object.entries(paths ?? {}).filter(([path]) => !path.startsWith("/v2"));
  for (const [path, item] of kept) {
    if (path === "/health/ready") keepHealth(item as unknown as Record<string, Operation>);
    for (const operation of Object.values(item as unknown as Record<string, Operation>)) {
      simplify(operation, Object.entries(FLAT_EXAMPLES[path] ?? {}));
    }
  }
  const whole = components?.schemas as Schemas;
  const schemas = demandStyle({ ...narrowAll(whole), ...plainNumbers(whole) });
  return {
    ...rest,
    openapi: "3.0.3",
    info: {
      ...info,
      description: DESCRIPTION,
      license: { name: info.license!.name, url: "https://www.apache.org/licenses/LICENSE-2.0.html" },
    },
    paths: Object.fromEntries(kept),
    components: { ...components, schemas: reachable(schemas, kept) },
  } as OpenAPIV3.Document;
}

/** Leaves JSON alone of the bodies and answers of an operation, with the flat examples; its parameters are those of other bodies. */
function simplify(operation: Operation, examples: readonly (readonly [string, Example])[]): void {
  delete operation.parameters;
  delete operation["x-codeSamples"];
  const { requestBody, responses } = operation;
  for (const part of [requestBody, ...Object.values(responses)]) {
    const json = Object.entries(part?.content ?? {}).filter(([type]) => type.endsWith("json"));
    if (part === undefined) continue;
    part.content = Object.fromEntries(json.map(([type, { schema }]) => [type, { schema: schema! }]));
  }
  for (const [part, key] of [
    [requestBody, "request"],
    [responses[200], "response"],
  ] as const) {
    const media = part?.content?.[MEDIA_TYPES.json];
    if (media === undefined || examples.length === 0) continue;
    media.examples = Object.fromEntries(
      examples.map(([name, example]) => [name, { summary: example.summary, value: example[key] }]),
    );
  }
}

/** Leaves the answers of the state alone: progenitor takes no operation whose errors have two schemas. */
function keepHealth(item: Record<string, Operation>): void {
  for (const operation of Object.values(item)) {
    const { 200: ok, 503: stopping } = operation.responses;
    operation.responses = { 200: ok!, ...(stopping && { 503: stopping }) };
  }
}

/** Numbers without a union, which loses or breaks them in C#, PHP, Ruby, Dart and Elixir: docs/sdk.md. */
function plainNumbers({ Real, ResultReal }: Schemas): Schemas {
  const number = { type: "number", format: "double" } as const;
  return {
    Real: { title: Real!.title!, description: "A number; tensors with others go as base64.", ...number },
    ResultReal: {
      title: ResultReal!.title!,
      description:
        "A number of an answer. A non-finite one is null with non_finite null, and a string with non_finite string, which a client takes only where it reads strings as numbers.",
      ...number,
      nullable: true,
    } as Schema,
  };
}

/**
 * Makes requests name how non-finite numbers are to come, because clients in PHP and Ruby read an unexpected "NaN" as 0. The default
 * is for generated classes, which begin with it.
 */
function demandStyle(schemas: Schemas): Schemas {
  const demanded = ([name, schema]: [string, Schema]): [string, Schema] => {
    const { non_finite: style, ...properties } = (schema.properties ?? {}) as Record<string, Schema>;
    if (style === undefined) return [name, schema];
    const description = STYLE_DESCRIPTION;
    const field = { allOf: [{ $ref: "#/components/schemas/NonFiniteStyle" }], default: "null", description };
    return [
      name,
      {
        ...schema,
        required: [...(schema.required ?? []), "non_finite"],
        properties: { ...properties, non_finite: field },
      } as Schema,
    ];
  };
  return Object.fromEntries(Object.entries(schemas).map(demanded));
}

/** A schema in the words of 3.0, with one form for each thing: no null, no nested lists; defaults only told, since generated clients would send them. */
function narrow({ default: byDefault, contentEncoding: _, ...schema }: Schema): Schema {
  const told = byDefault === undefined || byDefault === null ? [] : [`Default: ${byDefault}.`];
  const description = [reworded(schema.description ?? ""), ...told].filter(Boolean).join(" ");
  const anyOf = (schema.anyOf as Schema[] | undefined)?.filter(({ type }) => type !== "null");
  if (anyOf?.length === 1) return narrow({ ...anyOf[0], description });
  if (schema.$ref !== undefined) {
    const $ref = schema.$ref.replace(/TensorLike$/, "Tensor");
    // In 3.0 nothing may stand beside $ref.
    return description === "" ? { $ref } : { allOf: [{ $ref }], description };
  }
  return {
    ...schema,
    ...(description && { description }),
    // Generators ask for the type of an enum.
    ...(schema.enum && { type: "string" }),
    ...(anyOf && { anyOf: anyOf.map(narrow) }),
    ...(schema.enum && { enum: schema.enum.filter((word) => !WORDS_LEFT_OUT.includes(word)) }),
    ...(schema.properties && { properties: narrowAll(schema.properties as Schemas) }),
    ...("items" in schema && { items: narrow(schema.items as Schema) }),
  } as Schema;
}

function reworded(description: string): string {
  return PHRASES.reduce((text, [from, to]) => text.replace(from, to), description);
}

function narrowAll(schemas: Schemas): Schemas {
  const kept = Object.entries(schemas).filter(([, { deprecated }]) => !deprecated);
  return Object.fromEntries(kept.map(([name, schema]) => [name, narrow(schema)]));
}

/** The schemas that something refers to. */
function reachable(schemas: Schemas, from: unknown): Schemas {
  const found = new Set<string>();
  const visit = (part: unknown): void => {
    for (const [, name] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (found.has(name!)) continue;
      found.add(name!);
      visit(schemas[name!]);
    }
  };
  visit(from);
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => found.has(name)));
}
