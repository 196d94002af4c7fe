/** Reads the three formats of a tensor in JSON: a number or nested lists, `data` with a shape, `base64` with a shape. */
import { convertStep, convertToIntegersStep } from "../../kernel/convert.ts";
import type { Kernel } from "../../kernel/load.ts";
import type { Step } from "../../kernel/step.ts";
import { withInit } from "../../kernel/step.ts";
import { excerpt, rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { elementCount, MAX_RANK } from "../../tensor/tensor.ts";
import type { Operands, ReadTensor, TensorMemory } from "../operands.ts";
import { elementPath } from "../operands.ts";
import type { JsonBody, NumberSpan } from "./reader.ts";

/** Format of a tensor in JSON. */
export type TensorFormat = "nested" | "flat" | "base64";

/** Tensor of a body before its numbers are converted to a dtype. */
export interface TensorText {
  readonly format: TensorFormat;
  readonly shape: readonly number[];
  /** Dtype given in the body. */
  readonly dtype: DType | undefined;
  readonly numbers: NumberSpan | undefined;
  /** Value of a bare number. */
  readonly scalar: number;
  readonly pointer: string;
}

/** Reads format and shape of a validated field. Rejects a shape that does not match its data. */
export function describeTensor(body: JsonBody, value: unknown, pointer: string): TensorText {
  const none = { dtype: undefined, numbers: undefined, scalar: Number.NaN, pointer };
  if (Array.isArray(value)) {
    const numbers = body.numberSpans[value[0] as number]!;
    return { ...none, format: "nested", shape: numbers.shape, numbers };
  }
  if (value === null || typeof value !== "object") {
    return { ...none, format: "nested", shape: [], scalar: Number(value) };
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
  const numbers = body.numberSpans[isFlat ? data[0]! : Number(base64)]!;
  if (numbers.kind === "numbers") checkFlat(numbers, shape, pointer);
  return { ...none, format: isFlat ? "flat" : "base64", shape, dtype: dtype ?? undefined, numbers };
}

/** Returns whether an optional member is present. null counts as absent. */
function isGiven<Value>(member: Value | null | undefined): member is Value {
  return member !== null && member !== undefined;
}

/** Rejects `data` that is no flat list of the shape's elements. */
function checkFlat(numbers: NumberSpan, shape: readonly number[], pointer: string): void {
  if (numbers.shape.length > 1)
    throw rejectAt(
      "invalid_element",
      `${pointer}/data/0`,
      "expected a flat list of numbers, got a list in it",
    );
  const expected = checkElementCount(shape, `${pointer}/shape`);
  if (expected !== numbers.length) {
    throw rejectAt(
      "shape_data_mismatch",
      `${pointer}/shape`,
      `shape [${excerpt(shape.join(", "))}] needs ${expected} elements, got ${numbers.length}`,
    );
  }
}

/** Limit of 32-bit element counts, which also bounds the positions of an empty tensor. */
const MAX_ELEMENTS = 2 ** 32 - 1;

/** Returns the product of a shape. Rejects a product beyond {@link MAX_ELEMENTS}, even if the shape has a size of 0. */
export function checkElementCount(shape: readonly number[], pointer: string): number {
  if (shape.length > MAX_RANK)
    throw rejectAt("rank_too_high", pointer, `expected at most ${MAX_RANK} dimensions, got ${shape.length}`);
  let span = 1;
  for (const size of shape) span *= Math.max(size, 1);
  if (span > MAX_ELEMENTS) {
    throw rejectAt(
      "shape_data_mismatch",
      pointer,
      `the product of [${excerpt(shape.join(", "))}], without sizes of 0, is too large`,
    );
  }
  return elementCount(shape);
}

/** Bytes of a number before its conversion. */
const NUMBER_BYTES = 8;

/** Returns a tensor in its own dtype, or in `dtype` if it has none. Converts the elements in place. */
export function toTensor({ kernel, region }: TensorMemory, text: TensorText, dtype: DType): ReadTensor {
  const tensorDType = text.dtype ?? dtype;
  const { shape, numbers, scalar } = text;
  if (numbers?.kind === "base64")
    return { tensor: base64Tensor(text, numbers, tensorDType), convert: undefined };
  const address = numbers?.address ?? region.alloc(NUMBER_BYTES);
  const tensor: Tensor = { dtype: tensorDType, shape, address };
  const convert = conversion(kernel, text, tensor);
  if (numbers !== undefined) return { tensor, convert };
  const store = (): void => {
    kernel.f64[address / NUMBER_BYTES] = scalar;
  };
  return { tensor, convert: withInit(store, convert) };
}

/** Converts the numbers of a text in place to the dtype of `tensor`. Rejects numbers that an integer dtype does not hold. */
function conversion(kernel: Kernel, text: TensorText, tensor: Tensor): Step {
  const { dtype, address } = tensor;
  const { length = 1, rounded } = text.numbers ?? {};
  if (DTYPES[dtype].float) return convertStep(kernel, { dtype: "float64", address }, tensor, length);
  const reject = (element: number): never => {
    const range = dtype === "int64" ? ", up to 2^53" : "";
    const detail = `expected an integer that ${dtype} holds${range}`;
    throw rejectAt("invalid_element", elementPointer(text, element), detail);
  };
  const integers = convertToIntegersStep(kernel, address, tensor, length, reject);
  return (budget) => {
    if (!integers(budget)) return false;
    if (rounded !== undefined) reject(rounded);
    return true;
  };
}

function base64Tensor({ shape, pointer }: TensorText, numbers: NumberSpan, dtype: DType): Tensor {
  const expected = checkElementCount(shape, `${pointer}/shape`) * DTYPES[dtype].bytes;
  if (expected !== numbers.length) {
    throw rejectAt(
      "shape_data_mismatch",
      `${pointer}/shape`,
      `shape [${excerpt(shape.join(", "))}] of ${dtype} needs ${expected} bytes, got ${numbers.length}`,
    );
  }
  return { dtype, shape, address: numbers.address };
}

/** Returns the pointer to an element, given its row-major index, in the tensor's format. */
export function elementPointer({ format, pointer, shape }: TensorText, element: number): string {
  if (format === "flat") return `${pointer}/data/${element}`;
  if (format === "base64") return `${pointer}/base64`;
  return pointer + elementPath(shape, element);
}

/** Fields of a validated JSON body without those that are null. */
export class JsonOperands implements Operands {
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

  /** Returns the format of a tensor in the body, which is also the response's default. */
  format(name: string): TensorFormat {
    return this.#text(name).format;
  }

  isNested(name: string): boolean {
    return this.format(name) === "nested";
  }

  tensor(memory: TensorMemory, name: string, dtype: DType): ReadTensor {
    return toTensor(memory, this.#text(name), dtype);
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
