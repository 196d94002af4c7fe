/** The worked examples with tensors as objects, as the OpenAPI 3.0 document shows them. A test sends each, too. */

import { OPERANDS } from "../job.ts";
import type { Example } from "./examples.ts";
import { EXAMPLES } from "./examples.ts";

const RESULTS: readonly string[] = ["output", "losses", "grad_input", "grad_target"];

export const FLAT_EXAMPLES = mapValues(EXAMPLES, (examples) => mapValues(examples, toFlat));

/** Flat requests have no dtype where nested ones have none; flat answers always have one. */
function toFlat({ summary, request, response }: Example): Example {
  const { dtype = "float32" } = request.input as { dtype?: string };
  return {
    summary,
    request: flattened(request, OPERANDS, {}),
    response: flattened(response, RESULTS, { dtype }),
  };
}

function flattened(
  members: Example["request"],
  tensors: readonly string[],
  type: object,
): Example["request"] {
  return mapValues(members, (value, name) =>
    tensors.includes(name) && Array.isArray(value)
      ? { ...type, shape: shapeOf(value), data: value.flat(8) }
      : value,
  );
}

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A, name: string) => B,
): Readonly<Record<string, B>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
