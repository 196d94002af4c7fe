/** Extends the OpenAPI document beyond the routes' schemas: examples, and enums that are checked after the schema. */
import type { OpenAPIV3_1 } from "openapi-types";
import { DTYPES } from "../../tensor/dtype.ts";
import { isOperand } from "../../wire/operands.ts";
import { MEDIA_TYPES } from "../content/content-headers.ts";
import { OPERATIONS } from "../losses/operations.ts";
import { CODE_SAMPLES } from "./code-samples.ts";
import type { Example } from "./examples/example.ts";
import { mapValues } from "./examples/example.ts";
import { ERROR_EXAMPLES, EXAMPLES } from "./examples/index.ts";
import { INFERENCE_EXAMPLES } from "./inference-examples.ts";
import { statusExamples } from "./status-examples.ts";

/** Document of @fastify/swagger. */
export type Document = Pick<OpenAPIV3_1.Document, "paths" | "components">;

const INT32_MAX = 2 ** 31 - 1;

/** Adds the binary formats, and the examples, which test/http/openapi/openapi.test.ts sends and compares with the responses. */
export function extendDocument(document: Document): void {
  nameReductions(document);
  nameFloats(document);
  describeFields(document);
  Object.assign(document.components?.schemas ?? {}, {
    Safetensors: SAFETENSORS,
    InferenceBinary: INFERENCE_BINARY,
  });
  for (const path of Object.keys(EXAMPLES)) addBinary(document, path);
  for (const path of Object.keys(document.paths ?? {})) {
    if (path.endsWith("/infer")) addInferenceBinary(document, path);
  }
  for (const [path, samples] of Object.entries(CODE_SAMPLES)) {
    const operation = document.paths?.[path]?.post;
    if (operation !== undefined) Object.assign(operation, { "x-codeSamples": samples });
  }
  for (const [path, examples] of Object.entries(EXAMPLES)) addExamples(document, path, examples);
  for (const [model, inference] of Object.entries(INFERENCE_EXAMPLES)) {
    for (const version of ["", "/versions/1"])
      addExamples(document, `/v2/models/${model}${version}/infer`, { inference });
  }
  addErrorExamples(document);
  addWidths(document.components?.schemas);
  for (const item of Object.values(document.paths ?? {})) addWidths(item?.post?.parameters);
}

/** Adds examples of successful requests. */
function addExamples(document: Document, path: string, examples: Readonly<Record<string, Example>>): void {
  const operation = document.paths?.[path]?.post;
  const request = contentOf(operation?.requestBody, "application/json");
  const response = contentOf(operation?.responses?.["200"], "application/json");
  if (request === undefined || response === undefined) return;
  request.examples = mapValues(examples, ({ summary, request: value }) => ({ summary, value }));
  response.examples = mapValues(examples, ({ summary, response: value }) => ({ summary, value }));
}

/** Adds examples of the errors of every operation, and those of a body of its own. Leaves the responses that have an example of the route. */
function addErrorExamples(document: Document): void {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of ["get", "post"] as const) {
      for (const [status, response] of Object.entries(item?.[method]?.responses ?? {})) {
        const { content = {} } = response as OpenAPIV3_1.ResponseObject;
        const own = ERROR_EXAMPLES.filter(
          (example) => example.path === path && example.response.status === Number(status),
        ).map(({ summary, response: value }) => [value.code, { summary, value }] as const);
        const examples = { ...statusExamples(Number(status), { method, path }), ...Object.fromEntries(own) };
        for (const media of Object.values(content))
          if (media.example === undefined && Object.keys(examples).length > 0) media.examples = examples;
      }
    }
  }
}

/** Adds formats to numbers and integers, because some generators otherwise choose float32 and 32-bit integers. */
function addWidths(part: unknown): void {
  if (typeof part !== "object" || part === null) return;
  const schema = part as { type?: unknown; format?: string; maximum?: number };
  if (schema.type === "number") schema.format = "double";
  if (schema.type === "integer") {
    schema.format = (schema.maximum ?? Infinity) <= INT32_MAX ? "int32" : "int64";
  }
  for (const value of Object.values(part)) addWidths(value);
}

// Kept out of the validator's schema because PyTorch's error for other dtypes is dtype_not_supported, not invalid_request.
function nameFloats(document: Document): void {
  const schemas = document.components?.schemas ?? {};
  const field = schemas.LogSoftmaxRequest?.properties?.dtype as OpenAPIV3_1.SchemaObject | undefined;
  if (field === undefined) return;
  schemas.FloatDType = {
    title: "FloatDType",
    description: "A floating-point element type, by PyTorch's name.",
    enum: Object.entries(DTYPES)
      .filter(([, { float }]) => float)
      .map(([name]) => name),
  };
  field.anyOf = [{ $ref: "#/components/schemas/FloatDType" }, { type: "null" }];
}

// Kept out of the validator's schema because PyTorch accepts any string with size_average or reduce.
function nameReductions(document: Document): void {
  const { Reduction, KlDivReduction } = document.components?.schemas ?? {};
  const words = ["none", "mean", "sum"];
  if (Reduction !== undefined) Object.assign(Reduction, { enum: [...words, "elementwise_mean"] });
  if (KlDivReduction !== undefined)
    Object.assign(KlDivReduction, { enum: [...words, "batchmean", "elementwise_mean"] });
}

/** Restores the descriptions of fields with $ref, which OpenAPI 3.1 allows but @fastify/swagger drops. */
function describeFields(document: Document): void {
  for (const { request, response } of OPERATIONS) {
    for (const { $id = "", properties } of [request, response] as unknown as readonly ObjectSchema[]) {
      for (const [name, field] of Object.entries(document.components?.schemas?.[$id]?.properties ?? {})) {
        const { description, default: byDefault } = properties[name]!;
        if ("$ref" in field) Object.assign(field, { description, default: byDefault });
      }
    }
  }
}

interface ObjectSchema {
  readonly $id?: string;
  readonly properties: Readonly<
    Record<string, { readonly description?: string; readonly default?: unknown }>
  >;
}

const SAFETENSORS: OpenAPIV3_1.SchemaObject = {
  title: "Safetensors",
  type: "string",
  format: "binary",
  contentMediaType: MEDIA_TYPES.safetensors,
  description:
    "safetensors file whose tensors have the names of the JSON body's tensor fields or of the response's members. Scalars have shape []. Options are in the query string or in `__metadata__`, and the query string wins. Warnings are in the response's `__metadata__`.",
};

const JSON_LENGTH = "Inference-Header-Content-Length";

const INFERENCE_BINARY: OpenAPIV3_1.SchemaObject = {
  title: "InferenceBinary",
  type: "string",
  format: "binary",
  description: `The binary tensor data extension: JSON of ${JSON_LENGTH} bytes, then the bytes of the inputs or outputs with binary_data_size, in order, little-endian and row-major.`,
};

/** Adds the binary tensor data extension to an inference route. */
function addInferenceBinary(document: Document, path: string): void {
  const operation = document.paths?.[path]?.post;
  const request = operation?.requestBody as OpenAPIV3_1.RequestBodyObject | undefined;
  const response = operation?.responses?.["200"] as OpenAPIV3_1.ResponseObject | undefined;
  if (operation === undefined || request === undefined || response === undefined) return;
  const binary = { "application/octet-stream": { schema: { $ref: "#/components/schemas/InferenceBinary" } } };
  request.content = { ...request.content, ...binary };
  response.content = { ...response.content, ...binary };
  const description = "Bytes of JSON before the binary tensors.";
  const schema = { type: "integer", minimum: 0 } as const;
  operation.parameters = [{ name: JSON_LENGTH, in: "header", description, schema }];
  response.headers = { [JSON_LENGTH]: { description, schema } };
}

/** Adds safetensors bodies and responses, with the options in the query string. A schema of bytes cannot describe the tensors. */
function addBinary(document: Document, path: string): void {
  const operation = document.paths?.[path]?.post;
  const type = MEDIA_TYPES.safetensors;
  const schema = { $ref: "#/components/schemas/Safetensors" };
  const request = operation?.requestBody as OpenAPIV3_1.RequestBodyObject | undefined;
  const response = operation?.responses?.["200"] as OpenAPIV3_1.ResponseObject | undefined;
  const json = contentOf(request, MEDIA_TYPES.json)?.schema as OpenAPIV3_1.ReferenceObject | undefined;
  if (operation === undefined || request === undefined || response === undefined || json === undefined)
    return;
  request.content[type] = { schema };
  response.content = { ...response.content, [type]: { schema } };
  const body = document.components?.schemas?.[json.$ref.slice(json.$ref.lastIndexOf("/") + 1)];
  const options = Object.entries(body?.properties ?? {}).filter(([name]) => !isOperand(name));
  operation.parameters = options.map(([name, option]) =>
    queryParameter(name, option as OpenAPIV3_1.SchemaObject),
  ) as typeof operation.parameters & object;
}

/** Creates the query parameter of an option. Its default is only described, because a page that fills it in would send it with a JSON body, which is rejected. */
function queryParameter(
  name: string,
  { default: byDefault, anyOf, ...annotations }: OpenAPIV3_1.SchemaObject,
) {
  // A query string omits a member instead of sending null.
  const forms =
    (anyOf as OpenAPIV3_1.SchemaObject[] | undefined)?.filter(({ type }) => type !== "null") ?? [];
  const schema = { ...annotations, ...(forms.length === 1 ? forms[0] : { anyOf: forms }) };
  const defaultText = byDefault === undefined || byDefault === null ? "" : ` Default: ${byDefault}.`;
  const description = `Only with a safetensors body. JSON requests have it in the body.${defaultText}`;
  return { name, in: "query", description, schema };
}

function contentOf(part: unknown, type: string): OpenAPIV3_1.MediaTypeObject | undefined {
  return (part as { content?: Record<string, OpenAPIV3_1.MediaTypeObject> } | undefined)?.content?.[type];
}
