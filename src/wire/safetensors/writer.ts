/** Answers as safetensors files: scalars as 0-dim tensors, warnings in the metadata. */
import type { Kernel } from "../../kernel/kernel.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Scalar, Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import type { Member } from "../json/writer.ts";
import type { TensorInfo } from "./header.ts";
import { writeHeader } from "./header.ts";

/** The order of the data. The widest dtype comes first, so that every tensor is aligned; among equals, what is known first. */
const ORDER = ["total_weight", "output", "grad_input", "grad_target", "losses", "loss"];

/** Bytes of a page. */
const PAGE = 256 * 1024;

/** A file: its length, and its pages, which are copies of their own. */
export interface FilePages {
  readonly length: number;
  readonly pages: Generator<Buffer, void>;
}

/** The header of an answer with these members, whose data follow in this order. */
export function answerHeader(members: readonly TensorInfo[], warnings: readonly string[]): Buffer {
  return writeHeader(members, warnings.length > 0 ? { warnings: warnings.join("\n") } : {});
}

/** The order in which the members of an answer lie in the file. */
export function inFileOrder<Info extends TensorInfo>(members: readonly Info[]): Info[] {
  const rank = ({ name, dtype }: Info): number => ORDER.indexOf(name) - DTYPES[dtype].bytes * ORDER.length;
  return members.toSorted((a, b) => rank(a) - rank(b));
}

/** The file of an answer; undefined members are left out. */
export function writeFile(kernel: Kernel, members: Readonly<Record<string, Member | undefined>>): FilePages {
  const tensors: TensorInfo[] = [];
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined || !("dtype" in member)) continue;
    tensors.push({ name, dtype: member.dtype, shape: "address" in member ? member.shape : [] });
  }
  const ordered = inFileOrder(tensors);
  const header = answerHeader(ordered, (members.warnings as readonly string[] | undefined) ?? []);
  const length = ordered.reduce((sum, tensor) => sum + byteLength(tensor), header.length);
  const names = ordered.map(({ name }) => name);
  return { length, pages: joinSmall([header], memberPages(kernel, members, names)) };
}

/** The data of those of the named members that are there. */
export function* memberPages(
  kernel: Kernel,
  members: Readonly<Record<string, Member | undefined>>,
  names: readonly string[],
): Generator<Buffer, void> {
  for (const name of names) {
    const member = members[name];
    if (member === undefined) continue;
    if ("address" in member) yield* tensorPages(kernel, member);
    else if ("value" in member) yield scalarBytes(kernel, member);
  }
}

/** Pages of at least {@link PAGE} bytes, but for the last: a small answer goes out in one piece. */
function* joinSmall(begin: Buffer[], pages: Iterable<Buffer>): Generator<Buffer, void> {
  let small = begin;
  let length = 0;
  for (const page of pages) {
    small.push(page);
    length += page.length;
    if (length < PAGE) continue;
    yield Buffer.concat(small);
    small = [];
    length = 0;
  }
  if (small.length > 0) yield Buffer.concat(small);
}

/** The bytes of a tensor, little-endian and row-major. */
function* tensorPages({ u8 }: Kernel, tensor: Tensor): Generator<Buffer, void> {
  const end = tensor.address + byteLength(tensor);
  for (let at = tensor.address; at < end; at += PAGE)
    yield Buffer.from(u8.subarray(at, Math.min(end, at + PAGE)));
}

/** The bytes of a 0-dim tensor. */
function scalarBytes({ run, f64, u8 }: Kernel, { dtype, value }: Scalar): Buffer {
  const at = run.paperAt;
  f64[at / 8] = value;
  run.convert(at, DTYPES.float64.code, at, DTYPES[dtype].code, 1);
  return Buffer.from(u8.subarray(at, at + DTYPES[dtype].bytes));
}
