/** Converts the validator's errors into a problem with the field and the expected value. */
import type { ValidateFunction } from "ajv";
import { Ajv } from "ajv";
import type { FastifyInstance } from "fastify";
import type { FastifySchemaCompiler, FastifySchemaValidationError } from "fastify/types/schema.js";
import type { ProblemError } from "../../problems.ts";
import { excerpt, MAX_EXCERPT_CHARS, Problem, pointerStep } from "../../problems.ts";
import { nearest } from "../../user-error.ts";
import { ELEMENT } from "../../wire/json/scan-errors.ts";
import type { ParsedBody } from "../context.ts";

/** Validates a value, and keeps the errors of the last call. */
export interface Validate {
  (value: unknown): boolean;
  errors?: FastifySchemaValidationError[] | null;
}

/** Compiles a schema, which may refer to schemas of `app`, with the first value, because compiling at the start would double its time. */
export function validatorOf(app: Pick<FastifyInstance, "getSchemas">, schema: object): Validate {
  let compiled: ValidateFunction | undefined;
  const validate: Validate = (value) => {
    compiled ??= ajvOf(app).compile(schema);
    const isValid = compiled(value);
    validate.errors = compiled.errors as FastifySchemaValidationError[] | null;
    return isValid;
  };
  return validate;
}

/** Compiles validators of a {@link ParsedBody}'s value for Fastify. An empty body without a type has no value. */
export function compileLazily(app: FastifyInstance): FastifySchemaCompiler<unknown> {
  return ({ schema }) => {
    const validate = validatorOf(app, schema as object);
    const validateBody = (body: ParsedBody | undefined): boolean => {
      if (body?.skeleton !== undefined && body.skeleton.acceptedBy === validate) return true;
      const isValid = validate(body?.value);
      if (isValid && body?.skeleton !== undefined) body.skeleton.acceptedBy = validate;
      validateBody.errors = validate.errors;
      return isValid;
    };
    validateBody.errors = undefined as Validate["errors"];
    return validateBody as ReturnType<FastifySchemaCompiler<unknown>>;
  };
}

const instances = new WeakMap<object, Ajv>();

/** Skips Ajv's validation of schemas because tests validate them. */
function ajvOf(app: Pick<FastifyInstance, "getSchemas">): Ajv {
  const schemas = app.getSchemas();
  let ajv = instances.get(app);
  if (ajv === undefined) {
    ajv = new Ajv({
      schemas: Object.values(schemas) as object[],
      validateSchema: false,
      meta: false,
      strict: false,
      validateFormats: false,
    });
    instances.set(app, ajv);
  }
  return ajv;
}

/** Value that its schema rejects. */
export interface InvalidValue {
  readonly value: unknown;
  readonly schema: unknown;
  /** Finds a schema by its id. */
  readonly find: (id: string) => unknown;
  /** Fields that are never suggested. */
  readonly unoffered?: readonly string[];
  /** Maps an error to the client's document (default: unchanged). */
  readonly show?: (error: ProblemError) => ProblemError;
}

/** Converts the errors of an invalid value into a problem. */
export function describeValidation(
  errors: readonly FastifySchemaValidationError[],
  invalid: InvalidValue,
): Problem {
  const error = mostSpecific(errors);
  const { errors: found, count } = errorsOf(error, invalid);
  const shown = invalid.show === undefined ? found : found.map(invalid.show);
  const code = error.keyword === "maxItems" ? "rank_too_high" : "invalid_request";
  const [first] = shown;
  const more = count > 1 ? ` (and ${count - 1} more error${count > 2 ? "s" : ""})` : "";
  return new Problem(code, `${first?.pointer || "body"}: ${first?.detail}${more}`, { errors: shown });
}

/** Picks the error deepest in the value among the branches of a union, otherwise the union's own. */
function mostSpecific(errors: readonly FastifySchemaValidationError[]): FastifySchemaValidationError {
  const deepest = Math.max(...errors.map((error) => depth(error.instancePath)));
  const all = errors.filter((error) => depth(error.instancePath) === deepest);
  const candidates = all.filter((error) => !isOfNull(error));
  // Describes a union of one form and null by the form.
  if (candidates.length === 2 && candidates.length < all.length) return candidates[0]!;
  const union = candidates.find((error) => error.keyword === "anyOf");
  return candidates.find(isOfFields) ?? union ?? candidates[0] ?? errors[0]!;
}

function isOfNull({ keyword, params }: FastifySchemaValidationError): boolean {
  return keyword === "type" && params.type === "null";
}

function isOfFields({ keyword }: FastifySchemaValidationError): boolean {
  return keyword === "additionalProperties" || keyword === "required";
}

/** Lists all errors of an object's fields, because the validator stops at the first and one misspelt field makes two. */
function errorsOf(
  error: FastifySchemaValidationError,
  { value, schema, find, unoffered }: InvalidValue,
): FieldErrors {
  const { instancePath } = error;
  const steps = instancePath.split("/").slice(1);
  const invalid = steps.reduce((at, step) => (at as Record<string, unknown>)[step], value);
  if (isOfFields(error))
    return findFieldErrors(invalid as object, instancePath, schemaAt(schema, steps, find), unoffered);
  const expected = error.keyword === "anyOf" ? unionAt(schema, steps, find) : expectedBy(error);
  const isWord = error.keyword === "enum" && typeof invalid === "string";
  const got = isWord ? `, got ${JSON.stringify(excerpt(invalid))}` : "";
  return { errors: [{ pointer: excerpt(instancePath), detail: `expected ${expected}${got}` }], count: 1 };
}

interface Schema extends Partial<ObjectSchema> {
  readonly $ref?: string;
  readonly anyOf?: readonly unknown[];
  readonly items?: unknown;
}

/** Finds the schema of the object at these steps. */
function schemaAt(schema: unknown, steps: readonly string[], find: InvalidValue["find"]): ObjectSchema {
  const ofObject = (schema: unknown): Schema => {
    const { $ref, anyOf } = schema as Schema;
    if ($ref !== undefined) return ofObject(find($ref.replace("#", "")));
    const forms = anyOf?.map(ofObject);
    return (
      forms?.find(({ properties }) => properties !== undefined) ??
      forms?.find(({ items }) => items !== undefined) ??
      (schema as Schema)
    );
  };
  let at = ofObject(schema);
  for (const step of steps) at = ofObject(at.properties?.[step] ?? at.items);
  return at as ObjectSchema;
}

function expectedBy({ keyword, params, message }: FastifySchemaValidationError): string {
  switch (keyword) {
    case "type":
      return TYPES[params.type as string] ?? String(params.type);
    case "enum":
      return `one of ${(params.allowedValues as unknown[]).join(", ")}`;
    case "minimum":
      return `at least ${params.limit}`;
    case "maximum":
      return `at most ${params.limit}`;
    case "maxItems":
      return `at most ${params.limit} dimensions`;
    case "maxLength":
      return `at most ${params.limit} characters`;
    default:
      return message ?? "something else";
  }
}

const TYPES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  integer: "an integer",
  null: "null",
  number: "a number",
  object: "an object",
  string: "a text",
};

const TENSOR =
  'a tensor: a number, nested lists of numbers, or {"dtype", "shape", "data"} or {"dtype", "shape", "base64"}';

/** Describes the union at these steps: a parameter of an inference request, a number that may be NaN or infinite, or a tensor. */
function unionAt(schema: unknown, steps: readonly string[], find: InvalidValue["find"]): string {
  const [name, ...parents] = steps.toReversed();
  if (parents[0] === "parameters") return "a text, a number, true, false or null";
  const field = schemaAt(schema, parents.toReversed(), find).properties?.[name!] as Schema | undefined;
  const forms = [field, ...((field?.anyOf ?? []) as Schema[])];
  return forms.some((form) => form?.$ref === "Real#") ? ELEMENT : TENSOR;
}

function depth(pointer: string): number {
  return pointer.split("/").length;
}

/** Fields of an object in its schema. */
export interface ObjectSchema {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

/** Errors that a response lists, and the count of all. */
export interface FieldErrors {
  readonly errors: readonly ProblemError[];
  readonly count: number;
}

/** Errors that a response lists. */
const MAX_LISTED_FIELDS = 10;

/**
 * Lists the unknown fields of the object at `pointer`, then the missing ones. Limits the echo of the client's names in all. Never suggests
 * names in `unoffered`.
 */
function findFieldErrors(
  object: object,
  pointer: string,
  { properties, required = [] }: ObjectSchema,
  unoffered: readonly string[] = [],
): FieldErrors {
  const known = new Set(Object.keys(properties));
  const offered = [...known].filter((name) => !unoffered.includes(name));
  const unknown = Object.keys(object).filter((name) => !known.has(name));
  const missing = required.filter((name) => !Object.hasOwn(object, name));
  const errors: ProblemError[] = [];
  let room = MAX_EXCERPT_CHARS;
  let isListed = false;
  for (const name of unknown) {
    if (room <= 0 || errors.length >= MAX_LISTED_FIELDS - missing.length) break;
    const meant = nearest(name, offered);
    const list = isListed ? "" : `; expected ${offered.join(", ")}`;
    const hint = meant === undefined ? list : `; did you mean ${meant}?`;
    errors.push({
      pointer: `${pointer}/${pointerStep(excerpt(name, room))}`,
      detail: `unknown field${hint}`,
    });
    isListed ||= meant === undefined;
    room -= name.length;
  }
  for (const name of missing) errors.push({ pointer: `${pointer}/${name}`, detail: "required, but missing" });
  return { errors, count: unknown.length + missing.length };
}
