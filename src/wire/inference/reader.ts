/** Tensors of the Open Inference Protocol v2: JSON `data` with shape and datatype, or raw bytes behind the JSON. */
import { rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { Cut, JsonBody } from "../json/reader.ts";
import type { ReadTensor, TensorFormat, TensorText, Work } from "../json/tensors.ts";
import { checkSpan, elementPointer, toTensor } from "../json/tensors.ts";
import type { Operands } from "../operands.ts";

/** The protocol's names of the element types; BF16 is Triton's. */
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

/** The protocol's name of an element type. */
export function datatypeOf(dtype: DType): Datatype {
  return (Object.keys(DATATYPES) as Datatype[]).find((name) => DATATYPES[name] === dtype)!;
}

/** An input of a request whose schema has been checked: `[k]` stands for cut k. */
export interface InferenceInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: Datatype;
  readonly parameters?: { readonly binary_data_size?: number };
  readonly data?: readonly number[];
}

/** The tensors of an inference request by their names. */
export class InferenceOperands implements Operands {
  readonly #inputs = new Map<string, TensorText | (Tensor & { pointer: string })>();

  /** Describes an input in JSON. Refuses data that do not fill its shape. */
  addText(body: JsonBody, { name, shape, datatype, data }: InferenceInput, pointer: string): void {
    const cut = body.cuts[data![0]!]!;
    checkData(cut, shape, pointer);
    const text = {
      form: "flat" as const,
      shape,
      dtype: DATATYPES[datatype],
      cut,
      scalar: Number.NaN,
      pointer,
    };
    this.#inputs.set(name, text);
  }

  /** Adds an input whose bytes lie in the Arena. */
  addTensor(name: string, tensor: Tensor, pointer: string): void {
    this.#inputs.set(name, { ...tensor, pointer });
  }

  has(name: string): boolean {
    return this.#inputs.has(name);
  }

  shape(name: string): readonly number[] {
    return this.#inputs.get(name)!.shape;
  }

  form(): TensorFormat {
    return "flat";
  }

  tensor(work: Work, name: string, dtype: DType): ReadTensor {
    const input = this.#inputs.get(name)!;
    return "address" in input ? { tensor: input, convert: undefined } : toTensor(work, input, dtype);
  }

  elementPointer(name: string, element: number): string {
    const input = this.#inputs.get(name)!;
    return "address" in input ? `${input.pointer}/data/${element}` : elementPointer(input, element);
  }
}

/** `data` is flat, row-major, or nested as the shape says. */
function checkData({ length, shape: lists }: Cut, shape: readonly number[], pointer: string): void {
  const expected = checkSpan(shape, `${pointer}/shape`);
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
 * The bytes of an input that comes as bytes; undefined where it comes in the JSON. Refuses an input that comes in both ways or in none, one that comes as
 * bytes to a body that has none, and a size that its shape does not have.
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
  const place = `${pointer}/parameters/binary_data_size`;
  if (!hasBytes) {
    const header = "the header Inference-Header-Content-Length";
    throw rejectAt("invalid_request", place, `expected ${header} for an input that comes as bytes`);
  }
  const expected = checkSpan(shape, `${pointer}/shape`) * DTYPES[DATATYPES[datatype]].bytes;
  if (size === expected) return size;
  throw rejectAt(
    "shape_data_mismatch",
    place,
    `shape [${shape.join(", ")}] of ${datatype} needs ${expected} bytes, got ${size}`,
  );
}
