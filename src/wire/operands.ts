/** The tensors of a request by their names, whatever format they came in. */
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { JsonBody } from "./json.ts";
import type { Form, ReadTensor, TensorText, Work } from "./tensors.ts";
import { describeTensor, elementPath, elementPointer, toTensor } from "./tensors.ts";

export interface Operands {
  /** Whether the request has a tensor of this name. */
  has(name: string): boolean;
  /** The shape of a tensor that is there, before its numbers are converted. */
  shape(name: string): readonly number[];
  /** How it was written; the answer is written alike. */
  form(name: string): Form;
  /** A tensor that is there, in its own dtype, or in `dtype` where it names none. */
  tensor(work: Work, name: string, dtype: DType): ReadTensor;
  /** The JSON pointer to one element, by its row-major number, as the client wrote it. */
  elementPointer(name: string, element: number): string;
}

/** The fields of a JSON body that its schema has accepted. */
export class JsonOperands implements Operands {
  readonly #body: JsonBody;
  readonly #texts = new Map<string, TensorText>();

  constructor(body: JsonBody) {
    this.#body = body;
  }

  has(name: string): boolean {
    return (this.#body.value as Record<string, unknown>)[name] !== undefined;
  }

  shape(name: string): readonly number[] {
    return this.#text(name).shape;
  }

  form(name: string): Form {
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
    const value = (this.#body.value as Record<string, unknown>)[name];
    const text = describeTensor(this.#body, value, `/${name}`);
    this.#texts.set(name, text);
    return text;
  }
}

/** Tensors that lie in the Arena as they came, as bytes. */
export class PlacedOperands implements Operands {
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

  form(): Form {
    return "nested";
  }

  tensor(_work: Work, name: string): ReadTensor {
    return { tensor: this.#tensors.get(name)!, convert: undefined };
  }

  elementPointer(name: string, element: number): string {
    return `/${name}${elementPath(this.shape(name), element)}`;
  }
}
