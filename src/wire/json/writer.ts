/** Writes responses as JSON in pages, so that a response of any size takes constant memory and no step is long. */
import type { Kernel } from "../../kernel/load.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Scalar, Tensor } from "../../tensor/tensor.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import type { NonFinite, Piece } from "./pages.ts";
import { JsonPages } from "./pages.ts";
import type { TensorFormat } from "./tensors.ts";

/** Member of a response: a tensor, a number, or the warnings. */
export type Member = Tensor | Scalar | readonly string[];

/** Members of a response in output order. Undefined ones are omitted. */
export type Members = Readonly<Record<string, Member | undefined>>;

/** Element type that the kernels print as `[]`. */
const EMPTY_LIST = { code: 63, bytes: 0 };

/**
 * Writes a JSON object with these members in pages. Numbers are the shortest decimals that read back as the same
 * float64, or the same float32 for narrower dtypes. Non-finite numbers are strings, or null if `nonFinite` is "null".
 */
export function writeJson(
  kernel: Kernel,
  members: Members,
  format: TensorFormat,
  nonFinite: NonFinite = "string",
): JsonPages {
  const pieces: Piece[] = [];
  let before = "{";
  for (const name in members) {
    const member = members[name];
    if (member === undefined || (Array.isArray(member) && member.length === 0)) continue;
    pieces.push(`${before}"${name}":`);
    before = ",";
    if ("address" in member) addTensor(pieces, member, format);
    else pieces.push("value" in member ? member : JSON.stringify(member));
  }
  pieces.push(before === "{" ? "{}" : "}");
  return new JsonPages(kernel, pieces, nonFinite);
}

function addTensor(pieces: Piece[], tensor: Tensor, format: TensorFormat): void {
  const { dtype, shape, address } = tensor;
  if (format === "nested") {
    addNested(pieces, tensor);
    return;
  }
  pieces.push(`{"dtype":"${dtype}","shape":[${shape.join()}],`);
  if (format === "flat") {
    pieces.push('"data":');
    addData(pieces, tensor);
    pieces.push("}");
  } else pieces.push('"base64":"', { address, byteCount: byteLength(tensor) }, '"}');
}

/** Adds nested lists. Stops at a size of 0 because only empty lists remain. */
function addNested(pieces: Piece[], { dtype, shape, address }: Tensor): void {
  const empty = shape.indexOf(0);
  const outer = empty < 0 ? shape : shape.slice(0, empty);
  const { code, bytes } = empty < 0 ? DTYPES[dtype] : EMPTY_LIST;
  pieces.push("[".repeat(outer.length), { address, code, bytes, shape: outer }, "]".repeat(outer.length));
}

/** Counts the bytes that a tensor without elements takes as nested lists: the brackets of all levels and their commas. */
export function emptyListBytes(shape: readonly number[]): number {
  let lists = 1;
  let bytes = 2;
  for (const size of shape) {
    if (size === 0) break;
    // The commas between n lists of one level and those between their parents are n - 1 together.
    bytes += 2 * lists * size + lists * (size - 1);
    lists *= size;
  }
  return bytes;
}

/** Adds the elements of a tensor as a flat list, or a number as a list of one. */
export function addData(pieces: Piece[], member: Tensor | Scalar): void {
  if ("value" in member) {
    pieces.push("[", member, "]");
    return;
  }
  const { code, bytes } = DTYPES[member.dtype];
  const shape = [elementCount(member.shape)];
  pieces.push("[", { address: member.address, code, bytes, shape }, "]");
}
