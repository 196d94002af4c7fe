/** The OpenAPI 3.0 document is a part of the 3.1 document, without what generators stumble over, and true of the server. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, it } from "vitest";
import { FLAT_EXAMPLES } from "../../../src/http/openapi/flat-examples.ts";
import { PROBLEMS } from "../../../src/problems.ts";
import { expectAlmost } from "../../support/almost.ts";
import { useService } from "../../support/service.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly allOf?: readonly Schema[];
  readonly anyOf?: unknown;
  readonly oneOf?: unknown;
  readonly description?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly additionalProperties?: unknown;
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly responses: Readonly<Record<string, { readonly content: unknown }>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}
interface Document {
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const read = (file: string): Document =>
  JSON.parse(readFileSync(new URL(`../../../openapi/${file}`, import.meta.url), "utf8"));
const documents = { part: read("openapi-3.0.json"), whole: read("openapi.json") };
const { schemas } = documents.part.components;
const service = useService();

/** 3.0 says nullable where JSON Schema has a type more. */
function inJsonSchema(part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  if (Array.isArray(part)) return part.map(inJsonSchema);
  const schema = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, inJsonSchema(value)]));
  return schema.nullable === true ? { ...schema, type: [schema.type, "null"] } : schema;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
for (const [name, document] of Object.entries(documents))
  ajv.addSchema(inJsonSchema(document) as object, name);

/** Expects that a value has a schema, in one of the documents. */
function expectValid(document: keyof typeof documents, name: string, value: unknown): void {
  const validate = ajv.getSchema(`${document}#/components/schemas/${name}`)!;
  expect(validate(value), `${name} ${JSON.stringify(validate.errors)} ${JSON.stringify(value)}`).toBe(true);
}

const nameOf = ({ $ref = "" }: Schema): string => $ref.slice($ref.lastIndexOf("/") + 1);
const named = (path: string, part: string): string =>
  path.replace("/v1/", "").replace(/(^|_)(\w)/g, (_, __, letter) => letter.toUpperCase()) + part;

it("has operations and schemas of the 3.1 document under the same names", () => {
  for (const [path, item] of Object.entries(documents.part.paths)) {
    for (const [method, { operationId }] of Object.entries(item)) {
      expect(operationId).toBe(documents.whole.paths[path]![method]!.operationId);
    }
  }
  for (const name of Object.keys(schemas))
    expect(Object.keys(documents.whole.components.schemas)).toContain(name);
  expect(Object.keys(documents.part.paths)).toEqual(expect.arrayContaining(Object.keys(FLAT_EXAMPLES)));
});

it("lists the tags of its operations, and no others", () => {
  const operations = Object.values(documents.part.paths).flatMap((item) => Object.values(item));
  const used = new Set(operations.flatMap(({ tags }) => tags));
  expect(documents.part.tags.map(({ name }) => name)).toEqual([...used]);
});

it("has no union, and no object, enum or map that has no name", () => {
  const check = (place: string, schema: Schema, isNamed: boolean): void => {
    expect(schema.anyOf, place).toBeUndefined();
    expect(schema.oneOf, place).toBeUndefined();
    if (schema.type === "object" || schema.enum !== undefined) expect(isNamed, place).toBe(true);
    if (schema.type === "object") expect(schema.properties, place).toBeDefined();
    expect(schema.allOf?.length ?? 1, place).toBe(1);
    if (schema.type === "number") expect(schema.format, place).toBe("double");
    if (schema.type === "integer") expect(schema.format, place).toMatch(/^int(32|64)$/);
    if (!place.endsWith(".non_finite")) expect(Object.keys(schema), place).not.toContain("default");
    for (const [name, part] of Object.entries(schema.properties ?? {}))
      check(`${place}.${name}`, part, false);
    for (const part of schema.items ? [schema.items] : []) check(`${place}[]`, part, false);
  };
  for (const [name, schema] of Object.entries(schemas)) check(name, schema, true);
});

it("describes options as numbers, because C++ does not compile with a reference to a number", () => {
  const options = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
    name.endsWith("Request") ? Object.values(properties) : [],
  );
  expect(options.filter(({ type }) => type === "number")).toHaveLength(7);
  expect(JSON.stringify(options)).not.toContain("/Real");
});

it("closes requests, and leaves room for new fields and codes in answers", () => {
  for (const [name, schema] of Object.entries(schemas)) {
    const isSent = name.endsWith("Request") || name === "Tensor";
    expect(schema.additionalProperties, name).toBe(isSent ? false : undefined);
  }
  const { code } = schemas.Problem!.properties!;
  expect(schemas[nameOf(code!)]).toMatchObject({ type: "string" });
  expect(schemas[nameOf(code!)]).not.toHaveProperty("enum");
  for (const word of Object.keys(PROBLEMS)) expect(schemas.ProblemCode!.description).toContain(`\`${word}\``);
});

it("demands of every request how non-finite numbers come, with null where a generated class begins", () => {
  for (const [name, { required, properties = {} }] of Object.entries(schemas)) {
    if (!name.endsWith("Request")) continue;
    expect(required, name).toContain("non_finite");
    expect(properties.non_finite, name).toMatchObject({ default: "null" });
  }
  expect(schemas.Real!.nullable).toBeUndefined();
  expect(schemas.ResultReal).toMatchObject({ type: "number", nullable: true });
});

it("names no schema as generators name what they make of an operation", () => {
  for (const item of Object.values(documents.part.paths)) {
    for (const { operationId } of Object.values(item)) {
      const made = operationId.replace(/^./, (letter) => letter.toUpperCase());
      expect(Object.keys(schemas)).not.toContain(`${made}Response`);
    }
  }
});

it("has one schema of errors at each operation", () => {
  for (const [path, item] of Object.entries(documents.part.paths)) {
    for (const { responses } of Object.values(item)) {
      const errors = Object.entries(responses).filter(([status]) => status !== "200");
      expect(new Set(errors.map(([, { content }]) => JSON.stringify(content))).size, path).toBe(1);
    }
  }
});

it("describes no form that it leaves out", () => {
  for (const [name, schema] of Object.entries(schemas))
    expect(JSON.stringify(schema), name).not.toMatch(/nested list|elementwise_mean|out or null|bare tokens/);
});

it.each(
  Object.entries(FLAT_EXAMPLES).flatMap(([path, examples]) =>
    Object.entries(examples).map(([name, example]) => [path, name, example] as const),
  ),
)("%s %s answers what the document says", async (path, _name, { request, response }) => {
  expectValid("part", named(path, "Request"), request);
  expectValid("part", named(path, "Result"), response);
  const answer = await service().post(path, request);
  expect(answer.status, answer.text).toBe(200);
  expectAlmost(answer.json, response);
});

/** Tensors that say what they are once, which the schema leaves to its description. */
const wellFormed: fc.Arbitrary<unknown> = fc
  .array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 })
  .chain((shape) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = fc.array(valuesOf(schemas.Real!), { minLength: length, maxLength: length });
    const bytes = fc.uint8Array({ minLength: 4 * length, maxLength: 4 * length });
    return fc.oneof(
      fc.record({ shape: fc.constant(shape), data }),
      bytes.map((array) => ({ dtype: "float32", shape, base64: Buffer.from(array).toString("base64") })),
    );
  });

/** Values that a schema allows. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.allOf !== undefined) return valuesOf(schema.allOf[0]!);
  if (schema.$ref !== undefined) {
    return nameOf(schema) === "Tensor" ? wellFormed : valuesOf(schemas[nameOf(schema)]!);
  }
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const { minimum = -(2 ** 53), maximum = 2 ** 53, properties = {}, required = [] } = schema;
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.oneof(
        fc.integer({ min: Math.max(minimum, -3), max: 3 }),
        fc.integer({ min: Math.max(minimum, Number.MIN_SAFE_INTEGER), max: Number.MAX_SAFE_INTEGER }),
        fc.constantFrom(minimum, maximum),
      );
    case "number":
      return fc.oneof(fc.nat(2), fc.double({ noNaN: true, noDefaultInfinity: true }));
    case "object":
      return fc.record(
        Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, valuesOf(part)])),
        { requiredKeys: [...required] },
      );
    default:
      throw new Error(`no values for ${JSON.stringify(schema)}`);
  }
}

/** Refusals of what a body is, rather than of what the operation makes of its tensors. */
const OF_THE_SCHEMA = ["invalid_request", "invalid_base64", "invalid_reduction", "ragged_tensor"];

it.each(Object.keys(FLAT_EXAMPLES))(
  "%s takes what the document allows, 300 requests, and answers what it says",
  async (path) => {
    await fc.assert(
      fc.asyncProperty(valuesOf(schemas[named(path, "Request")]!), async (body) => {
        expectValid("part", named(path, "Request"), body);
        expectValid("whole", named(path, "Request"), body);
        const { status, json } = await service().post(path, body);
        expect([200, 422]).toContain(status);
        if (status === 422) expect(OF_THE_SCHEMA, json.detail).not.toContain(json.code);
        const answer = status === 200 ? named(path, "Result") : "Problem";
        expectValid("whole", answer, json);
        // What comes where strings are asked for is only told.
        const hasStrings = (body as { non_finite?: string }).non_finite === "string" && status === 200;
        if (!hasStrings) expectValid("part", answer, json);
      }),
      { numRuns: 300 },
    );
  },
  60_000,
);

it("the health routes answer what the document says", async () => {
  expectValid("part", "Health", (await service().get("/health/live")).json);
  expectValid("part", "Health", (await service().get("/health/ready")).json);
});
