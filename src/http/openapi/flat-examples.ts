/** Examples with tensors as objects for the OpenAPI 3.0 document. A test sends each, too. */
import { OPERANDS } from "../../wire/operands.ts";
import type { Example } from "./examples/example.ts";
import { mapValues } from "./examples/example.ts";
import { EXAMPLES } from "./examples/index.ts";

/** Results that are tensors, with the dtype of those that do not have the input's. */
const RESULTS: Readonly<Record<string, string | undefined>> = {
  output: undefined,
  values: undefined,
  indices: "int64",
  lse: undefined,
  entropy: undefined,
  losses: undefined,
  z_losses: undefined,
  grad_input: undefined,
  grad_target: undefined,
  grad_target_weight: undefined,
  predictions: "int64",
  correct: "uint8",
};

export const FLAT_EXAMPLES = mapValues(EXAMPLES, (examples) => mapValues(examples, toFlat));

/**
 * Converts an example to format flat. Requests gain no dtype, but responses always have one. Requests hold non-finite numbers in base64, and
 * responses as null.
 */
function toFlat({ summary, request, response }: Example): Example {
  const { dtype = "float32" } = request.input as { dtype?: string };
  const members = mapValues(request, (value, name) =>
    OPERANDS.includes(name as never) ? flat(value) : value,
  );
  const { base64 } = members.input as { base64?: string };
  const isBytes = base64 !== undefined && Array.isArray(request.input);
  return {
    summary,
    request: { ...members, ...(isBytes && { format: "flat" }), non_finite: "null" },
    response: mapValues(response, (value, name) =>
      nulled(name in RESULTS ? flat(value, { dtype: RESULTS[name] ?? dtype }) : value),
    ),
  };
}

/** Flattens nested lists, in base64 if a request holds non-finite numbers. */
function flat(value: unknown, type?: { readonly dtype: string }): unknown {
  if (!Array.isArray(value)) return value;
  const shape = shapeOf(value);
  const data = value.flat(8);
  if (type !== undefined || data.every((element) => typeof element === "number")) {
    return { ...type, shape, data };
  }
  const bytes = Buffer.from(Float32Array.from(data, Number).buffer);
  return { dtype: "float32", shape, base64: bytes.toString("base64") };
}

/** Replaces the names of non-finite numbers in a response member by null. */
function nulled(value: unknown): unknown {
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return null;
  const { data } = value as { data?: readonly unknown[] };
  return data === undefined ? value : { ...(value as object), data: data.map(nulled) };
}

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}
