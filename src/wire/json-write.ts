/** Answers as JSON: members printed page by page, so that one of any size takes constant memory and no step is long. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Scalar } from "../loss/workspace.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength, elementCount } from "../tensor/tensor.ts";
import type { Form } from "./tensors.ts";

/** What can stand in an answer: a tensor, one number, or the warnings. */
export type Member = Tensor | Scalar | readonly string[];

/** The most characters that a number and its comma take. */
const NUMBER_CHARS = 33;
/** A page is handed on when less than this is free: room for any piece of punctuation, and for a few numbers. */
const MARGIN = 64 * NUMBER_CHARS;

const utf8 = new TextEncoder();

/**
 * The pages of a JSON object with these members; undefined ones are left out. Every page is at most 64 KiB and a copy of its own. Numbers
 * are the shortest that read back as the same number of their dtype; non-finite ones are strings.
 */
export function* writeJson(
  kernel: Kernel,
  members: Readonly<Record<string, Member | undefined>>,
  form: Form,
): Generator<Buffer, void> {
  const page = new Page(kernel);
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

function* writeTensor(page: Page, tensor: Tensor, form: Form): Generator<Buffer, void> {
  if (form === "nested") return yield* writeNested(page, tensor);
  yield* page.text(`{"dtype":"${tensor.dtype}","shape":[${tensor.shape.join()}],`);
  if (form === "flat") {
    yield* page.text('"data":[');
    yield* page.numbers(tensor, 0, elementCount(tensor.shape));
    yield* page.text("]}");
  } else {
    yield* page.text('"base64":"');
    yield* page.base64(tensor.address, byteLength(tensor));
    yield* page.text('"}');
  }
}

/** Lists of lists: behind a size of 0 nothing is left to write. */
function* writeNested(page: Page, tensor: Tensor): Generator<Buffer, void> {
  const { shape } = tensor;
  if (shape.length === 0) return yield* page.numbers(tensor, 0, 1);
  const empty = shape.indexOf(0);
  const written = empty < 0 ? shape : shape.slice(0, empty + 1);
  const length = written.at(-1)!;
  const outer = written.slice(0, -1);
  const rows = elementCount(outer);
  for (let row = 0; row < rows; row++) {
    const brackets = begins(outer, row);
    yield* page.text(`${row > 0 ? "," : ""}${"[".repeat(brackets + 1)}`);
    yield* page.numbers(tensor, row * length, length);
    yield* page.text("]".repeat(begins(outer, row + 1) + 1));
  }
}

/** How many of the outer lists begin at a row (and ended before it). */
function begins(outer: readonly number[], row: number): number {
  let lists = 0;
  let span = 1;
  for (const size of outer.toReversed()) {
    span *= size;
    if (row % span !== 0) break;
    lists++;
  }
  return lists;
}

/**
 * The kernels' sheet of paper. All answers share it: what stands on it is copied before another answer can write, which is
 * when the generator yields.
 */
class Page {
  readonly #kernel: Kernel;
  readonly #start: number;
  readonly #end: number;
  #at: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#start = kernel.run.paperAt.value;
    this.#end = this.#start + kernel.run.paperBytes.value;
    this.#at = this.#start;
  }

  /** A copy of what stands on the page, which is blank afterwards. */
  take(): Buffer {
    const bytes = Buffer.from(this.#kernel.u8.subarray(this.#start, this.#at));
    this.#at = this.#start;
    return bytes;
  }

  *text(text: string): Generator<Buffer, void> {
    if (this.#end - this.#at < Math.max(MARGIN, text.length * 3)) yield this.take();
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

  *numbers({ address, dtype }: Tensor, from: number, count: number): Generator<Buffer, void> {
    const { code, bytes } = DTYPES[dtype];
    const { run, u8 } = this.#kernel;
    for (let done = 0; done < count; ) {
      if (this.#end - this.#at < MARGIN) yield this.take();
      if (done > 0) u8[this.#at++] = 44;
      const n = Math.min(count - done, Math.floor((this.#end - this.#at) / NUMBER_CHARS));
      this.#at = run.printNumbers(address + (from + done) * bytes, code, n, this.#at);
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
    this.#at = run.printNumbers(at, DTYPES[dtype].code, 1, this.#at);
  }
}
