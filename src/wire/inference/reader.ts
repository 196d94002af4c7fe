/** Tensors of the Open Inference Protocol v2: JSON `data` with shape and datatype, or raw bytes after the JSON. */
import { rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { JsonBody, NumberSpan } from "../json/reader.ts";
import type { TensorText } from "../json/tensors.ts";
import { checkElementCount, elementPointer, toTensor } from "../json/tensors.ts";
import type { Operands, ReadTensor, SentTensor, Source, TensorMemory } from "../operands.ts";
import { copiedTensor } from "../operands.ts";

/** Protocol names of the element types. BF16 is Triton's. */
export const DATATYPES = {
  FP64: "float64",
  FP32: "float32",
  FP16: "float16",
  BF16: "bfloat16",
  INT64: "int64",
  INT32: "int32",
  UINT8: "uint8",
} as const satisfies Record<string, DType>;

export type Datatype = keyof typeof DATATYPES;

/** Returns the protocol's name of an element type. */
export function datatypeOf(dtype: DType): Datatype {
  return (Object.keys(DATATYPES) as Datatype[]).find((name) => DATATYPES[name] === dtype)!;
}

/** Input of a validated request. `[k]` in `data` refers to number span k. */
export interface InferenceInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: Datatype;
  readonly parameters?: { readonly binary_data_size?: number };
  readonly data?: readonly number[];
}

/** Binary input, with the pointer to it. */
type BinaryInput = (Tensor | SentTensor) & { readonly pointer: string };

/** Tensors of an inference request by name. */
export class InferenceOperands implements Operands {
  readonly #inputs = new Map<string, TensorText | BinaryInput>();

  /** Adds an input in JSON. Rejects data that do not match its shape. */
  addText(body: JsonBody, { name, shape, datatype, data }: InferenceInput, pointer: string): void {
    const numbers = body.numberSpans[data![0]!]!;
    checkData(numbers, shape, pointer);
    const text = {
      format: "flat" as const,
      shape,
      dtype: DATATYPES[datatype],
      numbers,
      scalar: Number.NaN,
      pointer,
    };
    this.#inputs.set(name, text);
  }

  /** Adds an input whose bytes lie at an address of the Arena. */
  addStored({ name, shape, datatype }: InferenceInput, address: number, pointer: string): void {
    this.#inputs.set(name, { dtype: DATATYPES[datatype], shape, address, pointer });
  }

  /** Adds an input whose bytes begin at `begin` of a body in one piece. */
  addSent({ name, shape, datatype }: InferenceInput, source: Source, begin: number, pointer: string): void {
    this.#inputs.set(name, { dtype: DATATYPES[datatype], shape, source, begin, pointer });
  }

  has(name: string): boolean {
    return this.#inputs.has(name);
  }

  shape(name: string): readonly number[] {
    return this.#inputs.get(name)!.shape;
  }

  isNested(): boolean {
    return false;
  }

  tensor(memory: TensorMemory, name: string, dtype: DType): ReadTensor {
    const input = this.#inputs.get(name)!;
    if ("address" in input) return { tensor: input, convert: undefined };
    if ("source" in input) return copiedTensor(memory, input);
    return toTensor(memory, input, dtype);
  }

  elementPointer(name: string, element: number): string {
    const input = this.#inputs.get(name)!;
    return "format" in input ? elementPointer(input, element) : `${input.pointer}/data/${element}`;
  }
}

/** Checks that `data` is flat or nested as its shape. */
function checkData({ length, shape: lists }: NumberSpan, shape: readonly number[], pointer: string): void {
  const expected = checkElementCount(shape, `${pointer}/shape`);
  const isFlat = lists.length === 1;
  if (length === expected && (isFlat || sameShape(lists, shape))) return;
  const got = isFlat ? `${length} elements` : `lists of shape [${lists.join(", ")}]`;
  throw rejectAt(
    "shape_data_mismatch",
    `${pointer}/data`,
    `shape [${shape.join(", ")}] needs ${expected} elements, flat or nested alike, got ${got}`,
  );
}

/**
 * Returns the byte length of a binary input, or undefined for an input in JSON. Rejects an input with both or neither,
 * a binary input with elements in a body without bytes, and a length that differs from its shape.
 */
export function binarySize(
  { shape, datatype, parameters, data }: InferenceInput,
  pointer: string,
  hasBytes: boolean,
): number | undefined {
  const size = parameters?.binary_data_size;
  if ((size === undefined) === (data === undefined)) {
    throw rejectAt(
      "invalid_request",
      pointer,
      "expected exactly one of data and parameters.binary_data_size",
    );
  }
  if (size === undefined) return undefined;
  const sizePointer = `${pointer}/parameters/binary_data_size`;
  // KServe's SDK omits the header where no input has a byte, and Triton accepts that.
  if (!hasBytes && size > 0) {
    const header = "the header Inference-Header-Content-Length";
    throw rejectAt("invalid_request", sizePointer, `expected ${header} for a binary input`);
  }
  const expected = checkElementCount(shape, `${pointer}/shape`) * DTYPES[DATATYPES[datatype]].bytes;
  if (size === expected) return size;
  throw rejectAt(
    "shape_data_mismatch",
    sizePointer,
    `shape [${shape.join(", ")}] of ${datatype} needs ${expected} bytes, got ${size}`,
  );
}
