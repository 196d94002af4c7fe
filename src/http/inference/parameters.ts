/** Validates an inference request against its model: the names first, then the options by the schema of the JSON contract. */
import type { LossError } from "../../loss/loss-error.ts";
import type { Problem, ProblemError } from "../../problems.ts";
import { excerpt, rejectAt } from "../../problems.ts";
import { isOperand, OPERANDS } from "../../wire/operands.ts";
import { withoutNulls } from "../losses/nulls.ts";
import { JSON_OPTIONS } from "../losses/options.ts";
import type { InvalidValue, Validate } from "../server/validation.ts";
import { describeValidation } from "../server/validation.ts";
import { isJsonOption } from "./metadata.ts";
import type { InferenceBody } from "./request.ts";

/** Parameter of the protocol that requests binary outputs. */
export const BINARY = "binary_data_output";

/** Parameters other than options, with their types. MLServer's have no effect. */
const OTHER_PARAMETERS: Readonly<Record<string, { readonly type: string; readonly expected: string }>> = {
  [BINARY]: { type: "boolean", expected: "true or false" },
  content_type: { type: "string", expected: "a text" },
  headers: { type: "null", expected: "null" },
};

/** Version of every model. */
const MODEL_VERSION = "1";

/** Rejects a model or a version that differs from the path. An empty version means any, as in Triton's protocol. */
export function checkModel(
  name: string,
  { model_name: asked = name, model_version: version = MODEL_VERSION }: InferenceBody,
): void {
  if (asked !== name) throw otherThan("/model_name", name, asked);
  if (version !== MODEL_VERSION && version !== "") throw otherThan("/model_version", MODEL_VERSION, version);
}

function otherThan(pointer: string, expected: string, got: string): Problem {
  return rejectAt(
    "invalid_request",
    pointer,
    `expected ${expected} or none, got ${JSON.stringify(excerpt(got))}`,
  );
}

interface Named {
  readonly name: string;
}

/** Rejects unknown and duplicate inputs and outputs before a tensor is read. */
export function checkNames(
  model: { readonly inputs: readonly Named[]; readonly outputs: readonly Named[] },
  { inputs, outputs = [] }: InferenceBody,
): void {
  checkList("inputs", model.inputs, inputs);
  checkList("outputs", model.outputs, outputs);
}

function checkList(list: "inputs" | "outputs", known: readonly Named[], asked: readonly Named[]): void {
  const names = known.map(({ name }) => name);
  for (const [at, { name }] of asked.entries()) {
    const pointer = `/${list}/${at}/name`;
    if (!names.includes(name)) {
      throw rejectAt(
        "invalid_request",
        pointer,
        `expected one of ${names.join(", ")}, got ${JSON.stringify(excerpt(name))}`,
      );
    }
    if (asked.findIndex((other) => other.name === name) < at)
      throw rejectAt("duplicate_key", pointer, `duplicate ${name}`);
  }
}

/** Returns the operation's options in the JSON contract's format, with a number for each tensor. Rejects options that `validate` does not accept. */
export function optionsOf(
  body: InferenceBody,
  validate: Validate,
  contract: Pick<InvalidValue, "schema" | "find">,
): Record<string, unknown> {
  // Has no prototype, so `__proto__` is rejected as an unknown field.
  const fields: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(body.parameters ?? {})) {
    if (Object.hasOwn(OTHER_PARAMETERS, name)) {
      const { type, expected } = OTHER_PARAMETERS[name]!;
      if (value !== null && typeof value !== type)
        throw rejectAt("invalid_request", `/parameters/${name}`, `expected ${expected}`);
    } else if (isOperand(name)) {
      throw rejectAt("invalid_request", `/parameters/${name}`, "unknown field; a tensor belongs in inputs");
    } else if (isJsonOption(name)) {
      const detail = "unknown field; the protocol sets the format of outputs";
      throw rejectAt("invalid_request", `/parameters/${name}`, detail);
    } else fields[name] = value;
  }
  for (const { name } of body.inputs) fields[name] = 0;
  if (validate(fields)) return withoutNulls(fields);
  throw describeValidation(validate.errors ?? [], {
    ...contract,
    value: fields,
    unoffered: [...OPERANDS, ...JSON_OPTIONS],
    show: (error) => relocate(body, error),
  });
}

/** Converts a loss's error in a field into a problem with the pointer into the inference request. */
export function fieldProblem(body: InferenceBody, { code, field, message }: LossError): Problem {
  const { pointer, detail } = relocate(body, { pointer: `/${field}`, detail: message });
  return rejectAt(code, pointer, detail);
}

/** Converts a pointer into the JSON contract's body to a pointer into the inference request. */
function relocate(body: InferenceBody, { pointer, detail }: ProblemError): ProblemError {
  const [, name = ""] = pointer.split("/");
  const at = body.inputs.findIndex((input) => input.name === name);
  if (at >= 0) return { pointer: `/inputs/${at}`, detail };
  if (isOperand(name)) return { pointer: "/inputs", detail: `${name}: ${detail}` };
  return { pointer: `/parameters${pointer}`, detail };
}
