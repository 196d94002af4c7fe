/** What one request computes with: its memory, its options, and the tensors that it names. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import type { LossOptions } from "../loss/index-loss.ts";
import type { Scalar } from "../loss/numbers.ts";
import type { Region } from "../tensor/arena.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { JsonBody } from "../wire/json.ts";
import type { Operands } from "../wire/operands.ts";
import type { Coding } from "./content-coding.ts";
import type { Media } from "./media.ts";
import type { SizeLimit } from "./preflight.ts";
import type { BodySource } from "./source.ts";
import { Stages } from "./stages.ts";
import type { Upload } from "./upload.ts";

/** An operation's result, in the order in which its members are written; what is undefined is left out. */
export type Answer = Readonly<Record<string, Tensor | Scalar | readonly string[] | undefined>>;

/** The names under which a request can carry tensors. */
export const OPERANDS = ["input", "target", "weight", "grad_output"] as const;
export type OperandName = (typeof OPERANDS)[number];

export function isOperand(name: string): name is OperandName {
  return (OPERANDS as readonly string[]).includes(name);
}

/** The options of nll_loss and cross_entropy as they stand in a body. */
export interface LossBody {
  readonly ignore_index?: number;
  readonly reduction?: string;
  readonly size_average?: boolean | null;
  readonly reduce?: boolean | null;
  readonly return_grad?: boolean;
}

export class Job {
  /** The operationId, for the log. */
  readonly operation: string;
  readonly work: { readonly kernel: Kernel; readonly region: Region };
  /** The format in which the client wants the answer. */
  answer: Media = "json";
  /** Whether long JSON is compressed for every client that takes it so. */
  compressAnswers = false;
  readonly stages = new Stages();
  /** The bytes of body that have arrived, or that they have inflated to. */
  bytes = 0;
  /** How the body is compressed; undefined: it is not. */
  coding: Coding | undefined;
  /** The most bytes of a chunked or compressed body; undefined: the server's own limit. */
  limit: SizeLimit | undefined;
  /** Of a body in chunks, while it is short: plans what the longest needs, in the place of what was planned. */
  lengthen: (() => void) | undefined;
  /** There once the body has been read. */
  operands: Operands | undefined;
  /** Where the rest of a body that is read piece by piece comes from. */
  source: BodySource | undefined;
  /** The JSON of an inference request. */
  json: JsonBody | undefined;
  /** The model of an inference request. */
  model: string | undefined;
  /** A safetensors body of which only the header has been read. */
  upload: Upload | undefined;
  /** The steps after which the elements of all operands that were read have their dtypes. */
  readonly conversions: Step[] = [];
  readonly #tensors = new Map<OperandName, Tensor>();

  constructor(operation: string, work: { readonly kernel: Kernel; readonly region: Region }) {
    this.operation = operation;
    this.work = work;
  }

  /** The shape of an operand, before its numbers are converted. */
  shape(name: OperandName): readonly number[] {
    return this.operands!.shape(name);
  }

  /** An operand in its own dtype, or in `dtype` where it names none. Its elements are there after {@link Job.conversions}. */
  tensor(name: OperandName, dtype: DType): Tensor {
    const { tensor, convert } = this.operands!.tensor(this.work, name, dtype);
    if (convert !== undefined) this.conversions.push(convert);
    this.#tensors.set(name, tensor);
    return tensor;
  }

  optionalTensor(name: OperandName, dtype: DType): Tensor | undefined {
    return this.operands!.has(name) ? this.tensor(name, dtype) : undefined;
  }

  /** What nll_loss and cross_entropy read alike from a body; tensors without a dtype take the input's. */
  lossOptions(body: LossBody, dtype: DType): LossOptions {
    return {
      weight: this.optionalTensor("weight", dtype),
      gradOutput: this.optionalTensor("grad_output", dtype),
      ignoreIndex: body.ignore_index === undefined ? undefined : BigInt(body.ignore_index),
      reduction: body.reduction,
      sizeAverage: body.size_average,
      reduce: body.reduce,
      returnGrad: body.return_grad,
    };
  }

  /** The pointer to one element of a field, by its row-major number. */
  elementPointer(field: string, element: number): string {
    return this.operands!.elementPointer(field, element);
  }

  /** A tensor that has been read, for the log. */
  operand(name: OperandName): Tensor | undefined {
    return this.#tensors.get(name);
  }
}
