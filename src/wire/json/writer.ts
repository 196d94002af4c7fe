/** Answers as JSON: a list of pieces, of which pages are printed, so that an answer of any size takes constant memory and no step is long. */
import type { Kernel } from "../../kernel/kernel.ts";
import { rejectAt } from "../../problems.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Scalar, Tensor } from "../../tensor/tensor.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import type { NonFinite, Piece } from "./pages.ts";
import { JsonPages } from "./pages.ts";
import type { TensorFormat } from "./tensors.ts";

/** A member of an answer: a tensor, one number, or the warnings. */
export type Member = Tensor | Scalar | readonly string[];

/** The members of a response in the order in which they are written; undefined ones are left out. */
export type Members = Readonly<Record<string, Member | undefined>>;

/** The element type that the kernels print as `[]`, beside the dtypes. */
const EMPTY_LIST = { code: 7, bytes: 0 };
/** A shape such as (4000000000, 0) costs a client nothing to send, but its nested answer is that many `[]`. */
const MAX_EMPTY_LISTS = 2 ** 20;

/**
 * The pages of a JSON object with these members; undefined ones are left out. Numbers are the shortest that read back as the same number:
 * of float64, or of float32 for the narrower dtypes. Non-finite ones are strings, or null where `nonFinite` says so. Refuses nested lists that
 * would hold more than 2^20 empty ones.
 */
export function writeJson(
  kernel: Kernel,
  members: Members,
  form: TensorFormat,
  nonFinite: NonFinite = "string",
): JsonPages {
  if (form === "nested") checkEmptyLists(members);
  const pieces: Piece[] = [];
  let before = "{";
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined || (Array.isArray(member) && member.length === 0)) continue;
    pieces.push(`${before}"${name}":`);
    before = ",";
    if ("address" in member) addTensor(pieces, member, form);
    else pieces.push("value" in member ? member : JSON.stringify(member));
  }
  pieces.push(before === "{" ? "{}" : "}");
  return new JsonPages(kernel, pieces, nonFinite);
}

function checkEmptyLists(members: Members): void {
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined || !("address" in member)) continue;
    const empty = member.shape.indexOf(0);
    const lists = empty < 0 ? 0 : elementCount(member.shape.slice(0, empty));
    if (lists <= MAX_EMPTY_LISTS) continue;
    throw rejectAt(
      "too_many_empty_lists",
      "/format",
      `${name} of shape [${member.shape.join(", ")}] would be ${lists} empty lists, at most ${MAX_EMPTY_LISTS}: ask for flat or base64`,
    );
  }
}

function addTensor(pieces: Piece[], tensor: Tensor, form: TensorFormat): void {
  const { dtype, shape, address } = tensor;
  if (form === "nested") {
    addNested(pieces, tensor);
    return;
  }
  pieces.push(`{"dtype":"${dtype}","shape":[${shape.join()}],`);
  if (form === "flat") {
    pieces.push('"data":');
    addData(pieces, tensor);
    pieces.push("}");
  } else pieces.push('"base64":"', { address, byteCount: byteLength(tensor) }, '"}');
}

/** Adds lists of lists. Behind a size of 0 nothing is left to write: the lists before it hold empty lists. */
function addNested(pieces: Piece[], { dtype, shape, address }: Tensor): void {
  const empty = shape.indexOf(0);
  const outer = empty < 0 ? shape : shape.slice(0, empty);
  const { code, bytes } = empty < 0 ? DTYPES[dtype] : EMPTY_LIST;
  pieces.push("[".repeat(outer.length), { address, code, bytes, shape: outer }, "]".repeat(outer.length));
}

/** Adds the elements of a tensor as a flat list, or one number in a list of its own. */
export function addData(pieces: Piece[], member: Tensor | Scalar): void {
  if ("value" in member) {
    pieces.push("[", member, "]");
    return;
  }
  const { code, bytes } = DTYPES[member.dtype];
  const shape = [elementCount(member.shape)];
  pieces.push("[", { address: member.address, code, bytes, shape }, "]");
}
