/** From the validator's errors to a refusal that names the field and says what was expected. */
import type { ValidateFunction } from "ajv";
import { Ajv } from "ajv";
import type { FastifyInstance } from "fastify";
import type { FastifySchemaCompiler, FastifySchemaValidationError } from "fastify/types/schema.js";
import { nearest } from "../../errors.ts";
import type { ProblemError } from "../../problems.ts";
import { echo, MAX_ECHO_CHARS, Problem, pointerStep } from "../../problems.ts";
import type { ParsedBody } from "../context.ts";

/** Validates a value; its errors are those of the last call. */
export interface Validate {
  (value: unknown): boolean;
  errors?: FastifySchemaValidationError[] | null;
}

/** Compiles a schema, which may refer to those of `app`, with the first value: compiling at the start would double it. */
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

/** Fastify's validator compiler: validates the value of a {@link ParsedBody}; an empty body without a type has none. */
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

/** Schemas are this package's own and tested, so Ajv need not validate them. */
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

/** A value that its schema does not accept. */
export interface Refused {
  readonly value: unknown;
  readonly schema: unknown;
  /** The schema that others refer to by this id. */
  readonly find: (id: string) => unknown;
  /** Fields that are never said to be meant. */
  readonly unoffered?: readonly string[];
  /** A place as the client knows it; default: as the schema does. */
  readonly show?: (place: ProblemError) => ProblemError;
}

/** The refusal for a value that its schema does not accept. */
export function describeValidation(
  errors: readonly FastifySchemaValidationError[],
  refused: Refused,
): Problem {
  const error = mostSpecific(errors);
  const { places, count } = faultsOf(error, refused);
  const shown = refused.show === undefined ? places : places.map(refused.show);
  const code = error.keyword === "maxItems" ? "rank_too_high" : "invalid_request";
  const [first] = shown;
  const more = count > 1 ? ` (and ${count - 1} more)` : "";
  return new Problem(code, `${first?.pointer || "body"}: ${first?.detail}${more}`, { errors: shown });
}

/** Of the errors of all branches of a union the one that got furthest into the value; the union's own where none did. */
function mostSpecific(errors: readonly FastifySchemaValidationError[]): FastifySchemaValidationError {
  const deepest = Math.max(...errors.map((error) => depth(error.instancePath)));
  const all = errors.filter((error) => depth(error.instancePath) === deepest);
  const candidates = all.filter((error) => !isOfNull(error));
  // Of a union of one form and null, the form says what was expected; that null would do is no help.
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

/** The validator stops at the first fault; of an object's fields all are told, since one misspelt field is two faults. */
function faultsOf(
  error: FastifySchemaValidationError,
  { value, schema, find, unoffered }: Refused,
): FieldFaults {
  const { instancePath } = error;
  if (isOfFields(error)) {
    const steps = instancePath.split("/").slice(1);
    const object = steps.reduce((at, step) => (at as Record<string, unknown>)[step], value) as object;
    return findFaults(object, instancePath, schemaAt(schema, steps, find), unoffered);
  }
  return { places: [{ pointer: echo(instancePath), detail: `expected ${expectedBy(error)}` }], count: 1 };
}

interface Schema extends Partial<ObjectSchema> {
  readonly $ref?: string;
  readonly anyOf?: readonly unknown[];
  readonly items?: unknown;
}

/** The schema of the object to which these steps lead. */
function schemaAt(schema: unknown, steps: readonly string[], find: Refused["find"]): ObjectSchema {
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

function expectedBy({ keyword, params, instancePath, message }: FastifySchemaValidationError): string {
  switch (keyword) {
    case "type":
      return TYPES[params.type as string] ?? String(params.type);
    case "enum":
      return `one of ${(params.allowedValues as unknown[]).join(", ")}`;
    case "anyOf":
      return unionAt(instancePath);
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

/** The unions that are not tensors, by the field's name. */
const UNIONS: Readonly<Record<string, string>> = {
  label_smoothing: "a number up to 1",
};

function unionAt(pointer: string): string {
  if (pointer.startsWith("/parameters/")) return "a text, a number, true, false or null";
  return UNIONS[pointer.slice(pointer.lastIndexOf("/") + 1)] ?? TENSOR;
}

function depth(pointer: string): number {
  return pointer.split("/").length;
}

/** What a schema says of an object's fields. */
export interface ObjectSchema {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

/** What was found: the places that an answer names, and how many there are. */
export interface FieldFaults {
  readonly places: readonly ProblemError[];
  readonly count: number;
}

/** Places that an answer names. */
const MOST = 10;

/**
 * The unknown fields of the object at `pointer`, then the missing ones. Of the client's names no more is repeated than of any text; those in
 * `unoffered` are never said to be meant.
 */
export function findFaults(
  object: object,
  pointer: string,
  { properties, required = [] }: ObjectSchema,
  unoffered: readonly string[] = [],
): FieldFaults {
  const known = new Set(Object.keys(properties));
  const offered = [...known].filter((name) => !unoffered.includes(name));
  const unknown = Object.keys(object).filter((name) => !known.has(name));
  const missing = required.filter((name) => !Object.hasOwn(object, name));
  const places: ProblemError[] = [];
  let room = MAX_ECHO_CHARS;
  let isListed = false;
  for (const name of unknown) {
    if (room <= 0 || places.length >= MOST - missing.length) break;
    const meant = nearest(name, offered);
    const list = isListed ? "" : `; expected ${offered.join(", ")}`;
    const hint = meant === undefined ? list : `; did you mean ${meant}?`;
    places.push({ pointer: `${pointer}/${pointerStep(echo(name, room))}`, detail: `unknown field${hint}` });
    isListed ||= meant === undefined;
    room -= name.length;
  }
  for (const name of missing) places.push({ pointer: `${pointer}/${name}`, detail: "required, but missing" });
  return { places, count: unknown.length + missing.length };
}
