/** Reads the server's response to a request, in every format that the server writes. */

import type { DType } from "../tensors/library.ts";
import type { Nested } from "../tensors/slices.ts";
import { fromBase64, nest } from "../tensors/typed-arrays.ts";

/** Nested lists of a response. null is any non-finite number, as `non_finite` writes it. */
export type Received = number | bigint | string | null | readonly Received[];

/** Members of a response as nested lists. */
export type Members = Readonly<Record<string, Received>>;

/** A tensor with a shape in a response. */
interface ShapedTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data?: readonly Nested[];
  readonly base64?: string;
}

/** Members of which each response has one. */
const RESULTS = ["loss", "losses", "output", "values"];

/** Returns the members of a response. Returns undefined for JSON that is no response of lossd. */
export function membersOf(json: unknown): Members | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  if (!RESULTS.some((name) => Object.hasOwn(json, name))) return undefined;
  try {
    return Object.fromEntries(Object.entries(json).map(([name, member]) => [name, nestedOf(member)]));
  } catch {
    // An object that is no tensor, or bytes that are not of its dtype.
    return undefined;
  }
}

function nestedOf(member: unknown): Received {
  if (typeof member !== "object" || member === null || Array.isArray(member)) return member as Received;
  const { dtype, shape, data, base64 } = member as ShapedTensor;
  if (base64 !== undefined) return fromBase64(dtype, shape, base64);
  return nest(data!, shape);
}
