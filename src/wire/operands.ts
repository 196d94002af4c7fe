/** The tensors of a request by their names, in whatever format they arrived. */
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ReadTensor, TensorFormat, Work } from "./json/tensors.ts";
import { elementPath } from "./json/tensors.ts";

/** The names under which a request can carry tensors. */
export const OPERANDS = ["input", "target", "weight", "grad_output"] as const;
export type OperandName = (typeof OPERANDS)[number];

export function isOperand(name: string): name is OperandName {
  return (OPERANDS as readonly string[]).includes(name);
}

export interface Operands {
  /** Whether the request has a tensor of this name. */
  has(name: string): boolean;
  /** The shape of a tensor that is there, before its numbers are converted. */
  shape(name: string): readonly number[];
  /** How it was written; the answer is written alike. */
  form(name: string): TensorFormat;
  /** A tensor that is there, in its own dtype, or in `dtype` where it names none. */
  tensor(work: Work, name: string, dtype: DType): ReadTensor;
  /** The JSON pointer to one element, by its row-major number, as the client wrote it. */
  elementPointer(name: string, element: number): string;
}

/** Tensors that lie in the Arena as they came, as bytes. */
export class TensorOperands implements Operands {
  readonly #tensors: ReadonlyMap<string, Tensor>;

  constructor(tensors: ReadonlyMap<string, Tensor>) {
    this.#tensors = tensors;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.#tensors.get(name)!.shape;
  }

  form(): TensorFormat {
    return "nested";
  }

  tensor(_work: Work, name: string): ReadTensor {
    return { tensor: this.#tensors.get(name)!, convert: undefined };
  }

  elementPointer(name: string, element: number): string {
    return `/${name}${elementPath(this.shape(name), element)}`;
  }
}
