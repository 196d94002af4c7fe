/** The three forms of a tensor in JSON, read: a number or nested lists, `data` with a shape, `base64` with a shape. */
import { convertStep, convertToIntegersStep } from "../../kernel/convert.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Step } from "../../kernel/step.ts";
import { echo, rejectAt } from "../../problems.ts";
import type { Region } from "../../tensor/arena.ts";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { elementCount, MAX_RANK } from "../../tensor/tensor.ts";
import type { Cut, JsonBody } from "./reader.ts";

/** How tensors are written. */
export type TensorFormat = "nested" | "flat" | "base64";

/** A tensor as a body gave it, before its numbers have a dtype. */
export interface TensorText {
  readonly form: TensorFormat;
  readonly shape: readonly number[];
  /** The dtype that the text names, if it does. */
  readonly dtype: DType | undefined;
  readonly cut: Cut | undefined;
  /** The value of a bare number. */
  readonly scalar: number;
  readonly pointer: string;
}

/** The memory in which bodies are read. */
export interface Work {
  readonly kernel: Kernel;
  readonly region: Region;
}

/** Reads the form and the shape of a field that the schema has accepted. Refuses a shape that its data do not fill. */
export function describeTensor(body: JsonBody, value: unknown, pointer: string): TensorText {
  const none = { dtype: undefined, cut: undefined, scalar: Number.NaN, pointer };
  if (Array.isArray(value)) {
    const cut = body.cuts[value[0] as number]!;
    return { ...none, form: "nested", shape: cut.shape, cut };
  }
  if (value === null || typeof value !== "object") {
    return { ...none, form: "nested", shape: [], scalar: Number(value) };
  }
  const { dtype, shape, data, base64 } = value as {
    dtype?: DType | null;
    shape: readonly number[];
    data?: readonly number[] | null;
    base64?: string | null;
  };
  const isFlat = isGiven(data);
  if (isFlat === isGiven(base64)) {
    throw rejectAt("invalid_request", pointer, "expected exactly one of data and base64");
  }
  const cut = body.cuts[isFlat ? data[0]! : Number(base64)]!;
  if (cut.kind === "numbers") checkFlat(cut, shape, `${pointer}/data`, `${pointer}/shape`);
  return { ...none, form: isFlat ? "flat" : "base64", shape, dtype: dtype ?? undefined, cut };
}

/** Whether an optional member is there: null stands for one that is not. */
function isGiven<Value>(member: Value | null | undefined): member is Value {
  return member !== null && member !== undefined;
}

function checkFlat(cut: Cut, shape: readonly number[], data: string, at: string): void {
  if (cut.shape.length > 1)
    throw rejectAt("invalid_element", `${data}/0`, "expected a flat list of numbers, got a list in it");
  const expected = checkSpan(shape, at);
  if (expected !== cut.length) {
    throw rejectAt(
      "shape_data_mismatch",
      at,
      `shape [${echo(shape.join(", "))}] needs ${expected} elements, got ${cut.length}`,
    );
  }
}

/** Elements are counted in 32 bits, and so are the positions of a tensor that is empty. */
const MAX_SPAN = 2 ** 32 - 1;

/** The product of a shape, which has to be a number that can be counted to, whatever sizes of 0 stand in it. */
export function checkSpan(shape: readonly number[], pointer: string): number {
  if (shape.length > MAX_RANK)
    throw rejectAt("rank_too_high", pointer, `expected at most ${MAX_RANK} dimensions, got ${shape.length}`);
  let span = 1;
  for (const size of shape) span *= Math.max(size, 1);
  if (span > MAX_SPAN) {
    throw rejectAt("shape_data_mismatch", pointer, `the product of [${echo(shape.join(", "))}] is too large`);
  }
  return elementCount(shape);
}

/** A tensor, and the step after which its elements have its dtype; undefined: they have it already. */
export interface ReadTensor {
  readonly tensor: Tensor;
  readonly convert: Step | undefined;
}

/** The tensor of a text in the dtype that it names, or in `dtype`. Its elements are converted where they were read. */
export function toTensor(work: Work, text: TensorText, dtype: DType): ReadTensor {
  const named = text.dtype ?? dtype;
  const { shape, cut } = text;
  if (cut?.kind === "base64") return { tensor: base64Tensor(text, cut, named), convert: undefined };
  const count = cut?.length ?? 1;
  const address = cut?.address ?? placeScalar(work, text.scalar);
  const tensor: Tensor = { dtype: named, shape, address };
  if (DTYPES[named].float) {
    return { tensor, convert: convertStep(work.kernel, { dtype: "float64", address }, tensor, count) };
  }
  const refuse = (element: number): never => {
    const detail = `expected an integer that ${named} holds, up to 2^53`;
    throw rejectAt("invalid_element", elementPointer(text, element), detail);
  };
  const integers = convertToIntegersStep(work.kernel, address, tensor, count, refuse);
  const convert: Step = (budget) => {
    if (!integers(budget)) return false;
    if (cut?.rounded !== undefined) refuse(cut.rounded);
    return true;
  };
  return { tensor, convert };
}

function base64Tensor({ shape, pointer }: TensorText, cut: Cut, dtype: DType): Tensor {
  const expected = checkSpan(shape, `${pointer}/shape`) * DTYPES[dtype].bytes;
  if (expected !== cut.length) {
    throw rejectAt(
      "shape_data_mismatch",
      `${pointer}/shape`,
      `shape [${echo(shape.join(", "))}] of ${dtype} needs ${expected} bytes, got ${cut.length}`,
    );
  }
  return { dtype, shape, address: cut.address };
}

function placeScalar({ kernel, region }: Work, value: number): number {
  const address = region.alloc(8);
  kernel.f64[address / 8] = value;
  return address;
}

/** The pointer to an element, by its row-major number, as the tensor was written. */
export function elementPointer({ form, pointer, shape }: TensorText, element: number): string {
  if (form === "flat") return `${pointer}/data/${element}`;
  if (form === "base64") return `${pointer}/base64`;
  return pointer + elementPath(shape, element);
}

/** The pointer from a nested list to an element, by its row-major number. */
export function elementPath(shape: readonly number[], element: number): string {
  let rest = element;
  let path = "";
  for (const size of shape.toReversed()) {
    path = `/${rest % size}${path}`;
    rest = Math.floor(rest / size);
  }
  return path;
}

/** The fields of a JSON body that its schema has accepted, without those that are null. */
export class JsonOperands {
  readonly #body: JsonBody;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #texts = new Map<string, TensorText>();

  constructor(body: JsonBody, fields: object) {
    this.#body = body;
    this.#fields = fields as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  shape(name: string): readonly number[] {
    return this.#text(name).shape;
  }

  form(name: string): TensorFormat {
    return this.#text(name).form;
  }

  tensor(work: Work, name: string, dtype: DType): ReadTensor {
    return toTensor(work, this.#text(name), dtype);
  }

  elementPointer(name: string, element: number): string {
    return elementPointer(this.#text(name), element);
  }

  #text(name: string): TensorText {
    const known = this.#texts.get(name);
    if (known !== undefined) return known;
    const text = describeTensor(this.#body, this.#fields[name], `/${name}`);
    this.#texts.set(name, text);
    return text;
  }
}
