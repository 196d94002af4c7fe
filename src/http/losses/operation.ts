/** Operation of the service: one record per loss, read by the routes of /v1 and /v2, the documents and the metrics. */
import type { TSchema } from "typebox";
import type { LossName } from "../../loss/names.ts";
import type { Header } from "../../wire/safetensors/header.ts";
import type { LossPlan, OperandReader } from "./compute.ts";
import type { NotStreamable, StreamedInput, Streaming } from "./streaming.ts";

export interface Operation {
  readonly name: LossName;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly request: TSchema & { $id?: string };
  readonly response: TSchema & { $id?: string };
  /** Description of a target element for errors, if there is a target. */
  readonly targetElement?: string;
  /** Checks the operands and plans the loss. `fields` have passed the schema `request`, which gives their type. */
  readonly plan: (reader: OperandReader, fields: never, streamed?: StreamedInput) => LossPlan;
  /** Decides how to read a safetensors body. */
  readonly streaming: (fields: never, header: Header) => Streaming | NotStreamable;
  /** Tensors of the model in the Open Inference Protocol. */
  readonly model: Model;
}

export interface Model {
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  /** Output of every request with default options, listed alone because nvidia-pytriton requests every listed output. */
  readonly mainOutput: string;
}

export interface ModelTensor {
  readonly name: string;
  readonly datatype: string;
  /** -1 means any size. */
  readonly shape: readonly number[];
  readonly parameters: { readonly optional: boolean; readonly variable_rank: boolean };
}

/** Creates a tensor of a model with its default datatype. Floats may also be FP64, FP16 and BF16, and indices INT32 and UINT8. */
export function modelTensor(
  name: string,
  datatype: string,
  shape: readonly number[],
  { optional = true, variable_rank = true } = {},
): ModelTensor {
  return { name, datatype, shape, parameters: { optional, variable_rank } };
}

export const REQUIRED = { optional: false };
export const FIXED_RANK = { variable_rank: false };

/** Tensors of a loss with a target. */
export const LOSS_MODEL: Model = {
  inputs: [
    modelTensor("input", "FP32", [-1, -1], REQUIRED),
    modelTensor("target", "INT64", [-1], REQUIRED),
    modelTensor("weight", "FP32", [-1], FIXED_RANK),
    modelTensor("sample_weight", "FP32", [-1]),
    modelTensor("grad_output", "FP32", [-1]),
  ],
  outputs: [
    modelTensor("loss", "FP32", [], FIXED_RANK),
    modelTensor("losses", "FP32", [-1]),
    modelTensor("total_weight", "FP32", [], FIXED_RANK),
    modelTensor("grad_input", "FP32", [-1, -1]),
  ],
  mainOutput: "loss",
};

/** Description of a class index for errors. */
export const CLASS_INDEX = "a class index, an integer";
