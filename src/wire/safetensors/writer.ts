/** Writes responses as safetensors files: scalars as 0-dim tensors, warnings in the metadata. */
import type { Kernel } from "../../kernel/load.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Scalar, Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import type { Members } from "../json/writer.ts";
import type { TensorInfo } from "./header.ts";
import { writeHeader } from "./header.ts";

/**
 * Order of the data. The widest dtype comes first, so that every tensor is aligned, and among equal dtypes the first
 * one known.
 */
const ORDER = [
  "total_weight",
  "output",
  "values",
  "indices",
  "lse",
  "entropy",
  "grad_input",
  "grad_target",
  "grad_target_weight",
  "predictions",
  "losses",
  "loss",
  "z_losses",
  "z_loss",
  "correct",
];

/** Page size in bytes. */
const PAGE_BYTES = 256 * 1024;

/** File with its length. Its pages are copies. */
export interface FilePages {
  readonly length: number;
  readonly pages: Generator<Buffer, void>;
}

/** Writes the header of a response with these members in this order. */
export function responseHeader(members: readonly TensorInfo[], warnings: readonly string[]): Buffer {
  return writeHeader(members, warnings.length > 0 ? { warnings: warnings.join("\n") } : {});
}

/** Sorts the members of a response into file order. */
export function inFileOrder<Info extends TensorInfo>(members: readonly Info[]): Info[] {
  const rank = ({ name, dtype }: Info): number => ORDER.indexOf(name) - DTYPES[dtype].bytes * ORDER.length;
  return members.toSorted((a, b) => rank(a) - rank(b));
}

/** Writes the file of a response. Undefined members are omitted. */
export function writeFile(kernel: Kernel, members: Members): FilePages {
  const tensors: TensorInfo[] = [];
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined || !("dtype" in member)) continue;
    tensors.push({ name, dtype: member.dtype, shape: "address" in member ? member.shape : [] });
  }
  const ordered = inFileOrder(tensors);
  const header = responseHeader(ordered, (members.warnings as readonly string[] | undefined) ?? []);
  const length = ordered.reduce((sum, tensor) => sum + byteLength(tensor), header.length);
  const names = ordered.map(({ name }) => name);
  return { length, pages: joinSmall([header], memberPages(kernel, members, names)) };
}

/** Yields the data of the named members that exist. */
export function* memberPages(
  kernel: Kernel,
  members: Members,
  names: readonly string[],
): Generator<Buffer, void> {
  for (const name of names) {
    const member = members[name];
    if (member === undefined) continue;
    if ("address" in member) yield* tensorPages(kernel, member);
    else if ("value" in member) yield scalarBytes(kernel, member);
  }
}

/** Joins pages to at least {@link PAGE_BYTES}, so that a small response is one write. */
function* joinSmall(begin: Buffer[], pages: Iterable<Buffer>): Generator<Buffer, void> {
  let small = begin;
  let length = 0;
  for (const page of pages) {
    small.push(page);
    length += page.length;
    if (length < PAGE_BYTES) continue;
    yield Buffer.concat(small);
    small = [];
    length = 0;
  }
  if (small.length > 0) yield Buffer.concat(small);
}

/** Yields the bytes of a tensor, little-endian and row-major. */
function* tensorPages({ u8 }: Kernel, tensor: Tensor): Generator<Buffer, void> {
  const end = tensor.address + byteLength(tensor);
  for (let at = tensor.address; at < end; at += PAGE_BYTES)
    yield Buffer.from(u8.subarray(at, Math.min(end, at + PAGE_BYTES)));
}

/** Returns the bytes of a 0-dim tensor. */
function scalarBytes({ exports, f64, u8 }: Kernel, { dtype, value }: Scalar): Buffer {
  const at = exports.outputAt;
  f64[at / 8] = value;
  exports.convert(at, DTYPES.float64.code, at, DTYPES[dtype].code, 1);
  return Buffer.from(u8.subarray(at, at + DTYPES[dtype].bytes));
}
