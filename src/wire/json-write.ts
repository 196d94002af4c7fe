/** Answers as JSON: members printed page by page, so that one of any size takes constant memory and no step is long. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Scalar } from "../loss/numbers.ts";
import { refuseAt } from "../problems.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength, elementCount } from "../tensor/tensor.ts";
import type { Form } from "./tensors.ts";

/** What can stand in an answer: a tensor, one number, or the warnings. */
export type Member = Tensor | Scalar | readonly string[];

/** The most bytes that the kernels write for an element: see `assembly/print/index.ts`. */
const ELEMENT_BYTES = 49;
/** A page is handed on when less than this is free: room for any piece of punctuation, and for a few elements. */
const MARGIN = 64 * ELEMENT_BYTES;
/** Added to a dtype's code, makes the kernels print non-finite numbers as null. */
const NULLS = 8;

/** How non-finite numbers are written: as "NaN", "Infinity" and "-Infinity", or all as null. */
export type NonFinite = "string" | "null";

/** What the kernels print as `[]`, beside the dtypes. */
const EMPTY_LIST = { code: 7, bytes: 0 };
/** A shape such as (4000000000, 0) costs a client nothing to send, but its nested answer is that many `[]`. */
const MAX_EMPTY_LISTS = 2 ** 20;

const utf8 = new TextEncoder();

/**
 * The pages of a JSON object with these members; undefined ones are left out. Every page is at most 64 KiB and a copy of its own. Numbers
 * are the shortest that read back as the same number: of float64, or of float32 for the narrower dtypes. Non-finite ones are strings, or null where `nonFinite`
 * says so.
 * Refuses, before the first page, nested lists that would hold more than 2^20 empty ones.
 */
export function* writeJson(
  kernel: Kernel,
  members: Readonly<Record<string, Member | undefined>>,
  form: Form,
  nonFinite: NonFinite = "string",
): Generator<Buffer, void> {
  if (form === "nested") checkEmptyLists(members);
  const page = new Page(kernel, nonFinite);
  let before = "{";
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined || (Array.isArray(member) && member.length === 0)) continue;
    yield* page.text(`${before}"${name}":`);
    before = ",";
    if ("address" in member) yield* writeTensor(page, member, form);
    else if ("value" in member) page.scalar(member);
    else yield* page.text(JSON.stringify(member));
  }
  yield* page.text(before === "{" ? "{}" : "}");
  yield page.take();
}

function checkEmptyLists(members: Readonly<Record<string, Member | undefined>>): void {
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined || !("address" in member)) continue;
    const empty = member.shape.indexOf(0);
    const lists = empty < 0 ? 0 : elementCount(member.shape.slice(0, empty));
    if (lists <= MAX_EMPTY_LISTS) continue;
    throw refuseAt(
      "too_many_empty_lists",
      "/format",
      `${name} of shape [${member.shape.join(", ")}] would be ${lists} empty lists, at most ${MAX_EMPTY_LISTS}: ask for flat or base64`,
    );
  }
}

function* writeTensor(page: Page, tensor: Tensor, form: Form): Generator<Buffer, void> {
  if (form === "nested") return yield* writeNested(page, tensor);
  const { dtype, shape, address } = tensor;
  yield* page.text(`{"dtype":"${dtype}","shape":[${shape.join()}],`);
  if (form === "flat") {
    yield* page.text('"data":');
    yield* writeData(page, tensor);
    yield* page.text("}");
  } else {
    yield* page.text('"base64":"');
    yield* page.base64(address, byteLength(tensor));
    yield* page.text('"}');
  }
}

/** Lists of lists. Behind a size of 0 nothing is left to write: the lists before it hold empty lists. */
function* writeNested(page: Page, tensor: Tensor): Generator<Buffer, void> {
  const empty = tensor.shape.indexOf(0);
  const outer = empty < 0 ? tensor.shape : tensor.shape.slice(0, empty);
  yield* page.text("[".repeat(outer.length));
  yield* page.elements(tensor.address, empty < 0 ? DTYPES[tensor.dtype] : EMPTY_LIST, outer);
  yield* page.text("]".repeat(outer.length));
}

/** The elements of a tensor as a flat list, or one number in a list of its own. */
export function* writeData(page: Page, member: Tensor | Scalar): Generator<Buffer, void> {
  yield* page.text("[");
  if ("value" in member) page.scalar(member);
  else yield* page.elements(member.address, DTYPES[member.dtype], [elementCount(member.shape)]);
  yield* page.text("]");
}

/**
 * The kernels' sheet of paper. All answers share it: what stands on it is copied before another answer can write, which is
 * when the generator yields.
 */
export class Page {
  readonly #kernel: Kernel;
  readonly #start: number;
  readonly #end: number;
  readonly #nulls: number;
  #at: number;

  constructor(kernel: Kernel, nonFinite: NonFinite = "string") {
    this.#kernel = kernel;
    this.#nulls = nonFinite === "null" ? NULLS : 0;
    this.#start = kernel.run.paperAt;
    this.#end = this.#start + kernel.run.paperBytes;
    this.#at = this.#start;
  }

  /** A copy of what stands on the page, which is blank afterwards. */
  take(): Buffer {
    const bytes = Buffer.from(this.#kernel.u8.subarray(this.#start, this.#at));
    this.#at = this.#start;
    return bytes;
  }

  *text(text: string): Generator<Buffer, void> {
    // A character of JavaScript takes at most 3 bytes of UTF-8.
    const isLong = text.length * 3 > MARGIN;
    if (isLong || this.#end - this.#at < MARGIN) yield this.take();
    if (isLong) return yield Buffer.from(text);
    const { u8 } = this.#kernel;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) {
        this.#at += utf8.encodeInto(text.slice(at), u8.subarray(this.#at, this.#end)).written;
        return;
      }
      u8[this.#at++] = code;
    }
  }

  /** The elements of a tensor of this shape with the punctuation between them, but without the outer brackets. */
  *elements(
    address: number,
    { code, bytes }: { readonly code: number; readonly bytes: number },
    shape: readonly number[],
  ): Generator<Buffer, void> {
    const { run, i32 } = this.#kernel;
    const count = elementCount(shape);
    const spans = shape
      .slice(1)
      .map((_, axis) => elementCount(shape.slice(axis + 1)))
      .reverse();
    for (let done = 0; done < count; ) {
      if (this.#end - this.#at < MARGIN) yield this.take();
      const n = Math.min(count - done, Math.floor((this.#end - this.#at) / ELEMENT_BYTES));
      i32.set(spans, run.spansAt / 4);
      this.#at = run.printElements(
        address + done * bytes,
        code + this.#nulls,
        done,
        n,
        spans.length,
        this.#at,
      );
      done += n;
    }
  }

  *base64(address: number, count: number): Generator<Buffer, void> {
    const { run } = this.#kernel;
    for (let done = 0; done < count; ) {
      if (this.#end - this.#at < MARGIN) yield this.take();
      const n = Math.min(count - done, Math.floor((this.#end - this.#at) / 4) * 3);
      this.#at = run.encodeBase64(address + done, n, this.#at);
      done += n;
    }
  }

  /** One number; fits, since every text leaves a margin. */
  scalar({ dtype, value }: Scalar): void {
    const { run, f64 } = this.#kernel;
    const at = this.#end + 64;
    f64[at / 8] = value;
    run.convert(at, DTYPES.float64.code, at, DTYPES[dtype].code, 1);
    this.#at = run.printElements(at, DTYPES[dtype].code + this.#nulls, 0, 1, 0, this.#at);
  }
}
