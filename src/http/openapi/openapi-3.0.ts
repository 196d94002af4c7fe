/**
 * Converts the contract to OpenAPI 3.0, because generators make poor code of unions. Keeps the part of the 3.1 document in which a tensor is
 * always the object `Tensor`, with the same operationIds and schema names.
 */
import type { OpenAPIV3, OpenAPIV3_1 } from "openapi-types";
import { MEDIA_TYPES } from "../content/content-headers.ts";
import type { Example } from "./examples/example.ts";
import { FLAT_EXAMPLES } from "./flat-examples.ts";

type Schema = OpenAPIV3_1.SchemaObject & { readonly $ref?: string; readonly contentEncoding?: string };
type Schemas = Readonly<Record<string, Schema>>;

interface Part {
  content?: Record<string, OpenAPIV3_1.MediaTypeObject>;
}
interface Operation {
  readonly tags: readonly string[];
  parameters?: unknown;
  "x-codeSamples"?: unknown;
  readonly requestBody?: Part;
  responses: Readonly<Record<string, Part>>;
}

const DESCRIPTION =
  'PyTorch\'s `log_softmax`, `nll_loss`, `cross_entropy` and `kl_div`, with their gradients, for generated clients. A tensor is always an object with `shape` and `data` or `base64`, and responses have the format of `input`. Every number is a number or, in responses, null.\n\n/openapi.json also describes nested lists, safetensors bodies, deprecated options and the Open Inference Protocol. Unknown fields of a request are rejected. Responses may gain fields, and errors codes. Every request sets with `non_finite` the format of NaN and infinities in responses: null, which this document describes, or the strings "NaN", "Infinity" and "-Infinity", for clients whose numbers read these. It has no effect on tensors in base64. Errors are RFC 9457 problem documents with a stable `code`.';

/** Enum values for nested lists, or deprecated by PyTorch. */
const WORDS_LEFT_OUT: readonly unknown[] = ["nested", "elementwise_mean"];

/** Phrases about omitted formats, with their replacements. */
const PHRASES: readonly (readonly [string, string])[] = [
  [": nested lists, or objects with `data` (flat) or `base64`", ": with `data` (flat) or `base64`"],
  [" elementwise_mean is a deprecated name of mean.", ""],
  ["If absent or null", "If absent"],
  ["0, negative values and NaN disable it", "0 and negative values disable it"],
];

const STYLE_DESCRIPTION =
  "Format of non-finite numbers in the response. This document describes null. Has no effect on tensors in base64.";

/** Converts a 3.1 document to a 3.0 document. */
export function toOpenApi30(document: OpenAPIV3_1.Document): OpenAPIV3.Document {
  const { info, paths, components, tags, ...rest } = structuredClone(document);
  delete info.summary;
  const kept = Object.entries(paths ?? {}).filter(([path]) => !path.startsWith("/v2"));
  const used = new Set(
    kept.flatMap(([, item]) => Object.values(item as Record<string, Operation>).flatMap(({ tags }) => tags)),
  );
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
    tags: tags!.filter(({ name }) => used.has(name)),
    paths: Object.fromEntries(kept),
    components: { ...components, schemas: reachable(schemas, kept) },
  } as OpenAPIV3.Document;
}

/** Keeps only JSON bodies and responses of an operation, with the flat examples. Drops its parameters, which belong to other bodies. */
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

/** Keeps only the state responses, because progenitor rejects an operation whose errors have two schemas. */
function keepHealth(item: Record<string, Operation>): void {
  for (const operation of Object.values(item)) {
    const { 200: ok, 503: stopping } = operation.responses;
    operation.responses = { 200: ok!, ...(stopping && { 503: stopping }) };
  }
}

const REAL = "#/components/schemas/Real";
const NUMBER = { type: "number", format: "double" } as const;

/** Schemas of numbers without a union, which loses or breaks them in C#, PHP, Ruby, Dart and Elixir (docs/sdk.md). */
function plainNumbers({ Real, ResultReal }: Schemas): Schemas {
  return {
    Real: {
      title: Real!.title!,
      description: "A finite number. Tensors with non-finite numbers use base64.",
      ...NUMBER,
    },
    ResultReal: {
      title: ResultReal!.title!,
      description:
        "A number in a response. A non-finite number is null with non_finite null, and a string with non_finite string, for clients that read strings as numbers.",
      ...NUMBER,
      nullable: true,
    } as Schema,
  };
}

/**
 * Requires non_finite in requests, because clients in PHP and Ruby read an unexpected "NaN" as 0. The default initialises
 * generated classes.
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

/** Converts a schema to 3.0, without null and nested lists. Only describes defaults, because generated clients would send them. */
function narrow({ default: byDefault, contentEncoding: _, ...schema }: Schema): Schema {
  const defaultText = byDefault === undefined || byDefault === null ? [] : [`Default: ${byDefault}.`];
  const description = [reworded(schema.description ?? ""), ...defaultText].filter(Boolean).join(" ");
  const anyOf = (schema.anyOf as Schema[] | undefined)?.filter(({ type }) => type !== "null");
  if (anyOf?.length === 1) return narrow({ ...anyOf[0], description });
  // Options of this document are finite, and generated C++ does not compile with a reference to a number.
  if (schema.$ref === REAL && description !== "") return { ...NUMBER, description };
  if (schema.$ref !== undefined) {
    const $ref = schema.$ref.replace(/TensorLike$/, "Tensor");
    // 3.0 allows no other member beside $ref.
    return description === "" ? { $ref } : { allOf: [{ $ref }], description };
  }
  return {
    ...schema,
    ...(description && { description }),
    // Generators require the type of an enum.
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

/** Selects the referenced schemas. */
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
