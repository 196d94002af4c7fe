/** From the validator's errors to a refusal that names the field and says what was expected. */
import type { FastifySchemaValidationError } from "fastify/types/schema.js";
import type { ProblemError } from "../problems.ts";
import { echo, Problem } from "../problems.ts";

/** The refusal for a body that its schema does not accept. */
export function describeValidation(errors: readonly FastifySchemaValidationError[]): Problem {
  const error = mostSpecific(errors);
  const place = describePlace(error);
  const code = error.keyword === "maxItems" ? "rank_too_high" : "invalid_request";
  return new Problem(code, `${place.pointer || "body"}: ${place.detail}`, { errors: [place] });
}

/** Of the errors of all branches of a union the one that got furthest into the value; the union's own where none did. */
function mostSpecific(errors: readonly FastifySchemaValidationError[]): FastifySchemaValidationError {
  const deepest = Math.max(...errors.map((error) => depth(error.instancePath)));
  const candidates = errors.filter((error) => depth(error.instancePath) === deepest);
  const inObject = candidates.find(
    (error) => error.keyword === "additionalProperties" || error.keyword === "required",
  );
  const union = candidates.find((error) => error.keyword === "anyOf");
  return inObject ?? union ?? candidates[0] ?? errors[0]!;
}

function describePlace({
  keyword,
  params,
  instancePath,
  message,
}: FastifySchemaValidationError): ProblemError {
  const at = (name: unknown): string => `${instancePath}/${escapePointer(echo(String(name)))}`;
  switch (keyword) {
    case "required":
      return { pointer: at(params.missingProperty), detail: "required, but missing" };
    case "additionalProperties":
      return { pointer: at(params.additionalProperty), detail: "unknown field" };
    case "enum":
      return {
        pointer: instancePath,
        detail: `expected one of ${(params.allowedValues as unknown[]).join(", ")}`,
      };
    case "anyOf":
      return { pointer: instancePath, detail: `expected ${UNIONS[lastName(instancePath)] ?? TENSOR}` };
    default:
      return { pointer: instancePath, detail: message ?? "not acceptable" };
  }
}

const TENSOR =
  'a tensor: a number, nested lists of numbers, or {"dtype", "shape", "data"} or {"dtype", "shape", "base64"}';

/** The unions that are not tensors, by the field's name. */
const UNIONS: Readonly<Record<string, string>> = {
  dim: "an integer or null",
  dtype: "a dtype or null",
  size_average: "true, false or null",
  reduce: "true, false or null",
  label_smoothing: "a number up to 1",
};

function depth(pointer: string): number {
  return pointer.split("/").length;
}

function lastName(pointer: string): string {
  return pointer.slice(pointer.lastIndexOf("/") + 1);
}

function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
