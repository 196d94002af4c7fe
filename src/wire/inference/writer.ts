/** Responses of the Open Inference Protocol v2: JSON, then the bytes of all binary outputs. */
import type { Kernel } from "../../kernel/load.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import type { Scalar, Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import type { Piece } from "../json/writer.ts";
import { addData, JsonPages } from "../json/writer.ts";
import { memberPages } from "../safetensors/writer.ts";
import { datatypeOf } from "./reader.ts";

/** Output with its name, numbers and format. */
export interface InferenceOutput {
  readonly name: string;
  readonly member: Tensor | Scalar;
  readonly binary: boolean;
}

/** Members beside the outputs. */
export interface InferenceEnvelope {
  readonly model: string;
  readonly id: string | undefined;
  readonly warnings: readonly string[];
}

/** Counts the bytes after the JSON. */
export function binaryLength(outputs: readonly InferenceOutput[]): number {
  return outputs.reduce((sum, { binary, member }) => sum + (binary ? bytesOf(member) : 0), 0);
}

/** Writes the binary outputs in pages. */
export function binaryPages(kernel: Kernel, outputs: readonly InferenceOutput[]): Generator<Buffer, void> {
  const binary = outputs.filter((output) => output.binary);
  const members = Object.fromEntries(binary.map(({ name, member }) => [name, member]));
  return memberPages(kernel, members, Object.keys(members));
}

/** Writes the JSON of a response in pages. */
export function inferencePages(
  kernel: Kernel,
  { model, id, warnings }: InferenceEnvelope,
  outputs: readonly InferenceOutput[],
): JsonPages {
  const pieces: Piece[] = [`{"model_name":"${model}","model_version":"1",`];
  if (id !== undefined) pieces.push(`"id":${JSON.stringify(id)},`);
  if (warnings.length > 0) pieces.push(`"parameters":${JSON.stringify({ warnings: warnings.join("\n") })},`);
  pieces.push('"outputs":[');
  let before = "";
  for (const { name, member, binary } of outputs) {
    const shape = shapeOf(member).join();
    const datatype = datatypeOf(member.dtype);
    pieces.push(`${before}{"name":"${name}","shape":[${shape}],"datatype":"${datatype}",`);
    if (binary) pieces.push(`"parameters":{"binary_data_size":${bytesOf(member)}}}`);
    else {
      pieces.push('"data":');
      addData(pieces, member);
      pieces.push("}");
    }
    before = ",";
  }
  pieces.push("]}");
  return new JsonPages(kernel, pieces);
}

function shapeOf(member: Tensor | Scalar): readonly number[] {
  return "address" in member ? member.shape : [];
}

function bytesOf(member: Tensor | Scalar): number {
  return "address" in member ? byteLength(member) : DTYPES[member.dtype].bytes;
}
