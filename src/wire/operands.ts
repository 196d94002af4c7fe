/** Tensors of a request by name, independent of their format. */
import type { Kernel } from "../kernel/load.ts";
import type { Step } from "../kernel/step.ts";
import type { Region } from "../tensor/arena.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength } from "../tensor/tensor.ts";

/** Names of the tensors that a request can have. */
export const OPERANDS = [
  "input",
  "target",
  "weight",
  "sample_weight",
  "target_weight",
  "grad_output",
  "index",
  "grad_lse",
  "grad_entropy",
] as const;
export type OperandName = (typeof OPERANDS)[number];

export function isOperand(name: string): name is OperandName {
  return (OPERANDS as readonly string[]).includes(name);
}

/** Kernel and memory for reading bodies. */
export interface TensorMemory {
  readonly kernel: Kernel;
  readonly region: Region;
}

/** Tensor with the step that copies or converts its elements, if they need one. */
export interface ReadTensor {
  readonly tensor: Tensor;
  readonly convert: Step | undefined;
}

export interface Operands {
  /** Returns whether the request has this tensor. */
  has(name: string): boolean;
  /** Returns the shape of a tensor before its numbers are converted. */
  shape(name: string): readonly number[];
  /** Returns whether the request has a tensor as nested lists. */
  isNested(name: string): boolean;
  /** Returns a tensor in its own dtype, or in `dtype` if it has none. */
  tensor(memory: TensorMemory, name: string, dtype: DType): ReadTensor;
  /** Returns the JSON pointer to an element, given its row-major index, in the request's format. */
  elementPointer(name: string, element: number): string;
}

/** Bytes of the tensors of a body in one piece. Another body that repeats its loss replaces them. */
export interface Source {
  bytes: Uint8Array;
}

/** Tensor whose bytes begin at `begin` of a source. */
export interface SentTensor extends Pick<Tensor, "dtype" | "shape"> {
  readonly source: Source;
  readonly begin: number;
}

/** Allocates a tensor, which is copied from its source when the loss runs. */
export function copiedTensor(
  { kernel, region }: TensorMemory,
  { dtype, shape, source, begin }: SentTensor,
): ReadTensor {
  const bytes = byteLength({ dtype, shape });
  const address = region.alloc(bytes);
  const copy: Step = () => {
    kernel.u8.set(source.bytes.subarray(begin, begin + bytes), address);
    return true;
  };
  return { tensor: { dtype, shape, address }, convert: copy };
}

/** Tensors that arrived as bytes. */
export class TensorOperands implements Operands {
  readonly #tensors: ReadonlyMap<string, Tensor | SentTensor>;

  constructor(tensors: ReadonlyMap<string, Tensor | SentTensor>) {
    this.#tensors = tensors;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.#tensors.get(name)!.shape;
  }

  isNested(): boolean {
    return false;
  }

  tensor(memory: TensorMemory, name: string): ReadTensor {
    const tensor = this.#tensors.get(name)!;
    return "source" in tensor ? copiedTensor(memory, tensor) : { tensor, convert: undefined };
  }

  elementPointer(name: string, element: number): string {
    return `/${name}${elementPath(this.shape(name), element)}`;
  }
}

/** Returns the path from a nested list to an element, given its row-major index. */
export function elementPath(shape: readonly number[], element: number): string {
  let rest = element;
  let path = "";
  for (const size of shape.toReversed()) {
    path = `/${rest % size}${path}`;
    rest = Math.floor(rest / size);
  }
  return path;
}
