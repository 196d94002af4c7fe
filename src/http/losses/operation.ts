/** An operation of the service: one record per loss, which the routes of /v1 and /v2, the documents and the metrics read. */
import type { TSchema } from "typebox";
import type { LossName } from "../../loss/names.ts";
import type { Header } from "../../wire/safetensors/header.ts";
import type { LossPlan, OperandReader } from "./compute.ts";
import type { Obstacle, StreamedInput, Streaming } from "./streaming.ts";

export interface Operation {
  readonly name: LossName;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly request: TSchema & { $id?: string };
  readonly response: TSchema & { $id?: string };
  /** An element of the target, in the words of an error; undefined: it has no target. */
  readonly targetElement?: string;
  /** Checks the operands and plans the loss. `fields` have passed the schema `request`, from which their type comes. */
  readonly plan: (reader: OperandReader, fields: never, streamed?: StreamedInput) => LossPlan;
  /** How it takes a safetensors body. */
  readonly streaming: (fields: never, header: Header) => Streaming | Obstacle;
  /** Its tensors as a model of the Open Inference Protocol. */
  readonly model: Model;
}

export interface Model {
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  /** The output that every request with the default options has; nvidia-pytriton requests every output that the configuration lists. */
  readonly mainOutput: string;
}

export interface ModelTensor {
  readonly name: string;
  readonly datatype: string;
  /** -1 stands for any size. */
  readonly shape: readonly number[];
  readonly parameters: { readonly optional: boolean; readonly variable_rank: boolean };
}

/** A tensor of a model. Datatypes are the usual ones: floats also go as FP64, FP16 and BF16, indices as INT32 and UINT8. */
export function modelTensor(
  name: string,
  datatype: string,
  shape: readonly number[],
  { optional = true, variable_rank = true } = {},
): ModelTensor {
  return { name, datatype, shape, parameters: { optional, variable_rank } };
}

const REQUIRED = { optional: false };
const FIXED_RANK = { variable_rank: false };

/** The tensors of a loss over a target. */
export const LOSS_MODEL: Model = {
  inputs: [
    modelTensor("input", "FP32", [-1, -1], REQUIRED),
    modelTensor("target", "INT64", [-1], REQUIRED),
    modelTensor("weight", "FP32", [-1], FIXED_RANK),
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

/** A class index, in the words of an error. */
export const CLASS_INDEX = "a class index, an integer";
