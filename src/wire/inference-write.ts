/** Answers of the Open Inference Protocol v2: JSON, and behind it the bytes of those outputs that the client wants so. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Scalar } from "../loss/workspace.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength } from "../tensor/tensor.ts";
import { datatypeOf } from "./inference.ts";
import { Page, writeData } from "./json-write.ts";
import { memberPages } from "./safetensors-write.ts";

/** One output: what it is called, its numbers, and whether they are wanted as bytes. */
export interface InferenceOutput {
  readonly name: string;
  readonly member: Tensor | Scalar;
  readonly binary: boolean;
}

/** What stands beside the outputs. */
export interface InferenceEnvelope {
  readonly model: string;
  readonly id: string | undefined;
  readonly warnings: readonly string[];
}

/** An answer in pages, each a copy of its own. */
export interface InferencePages {
  /** The bytes of the JSON and of the whole where outputs follow as bytes; undefined for JSON alone, whose length shows at its end. */
  readonly lengths: { readonly json: number; readonly all: number } | undefined;
  readonly pages: Iterable<Buffer>;
}

/** The answer to an inference request. JSON that bytes follow is written before the first of them leaves, since its length comes first. */
export function writeInference(
  kernel: Kernel,
  envelope: InferenceEnvelope,
  outputs: readonly InferenceOutput[],
): InferencePages {
  const json = jsonPages(kernel, envelope, outputs);
  const binary = outputs.filter((output) => output.binary);
  if (binary.length === 0) return { lengths: undefined, pages: json };
  const begin = Buffer.concat([...json]);
  const all = binary.reduce((sum, { member }) => sum + bytesOf(member), begin.length);
  const members = Object.fromEntries(binary.map(({ name, member }) => [name, member]));
  const pages = follow(begin, memberPages(kernel, members, Object.keys(members)));
  return { lengths: { json: begin.length, all }, pages };
}

function* follow(begin: Buffer, pages: Iterable<Buffer>): Generator<Buffer, void> {
  yield begin;
  yield* pages;
}

function* jsonPages(
  kernel: Kernel,
  { model, id, warnings }: InferenceEnvelope,
  outputs: readonly InferenceOutput[],
): Generator<Buffer, void> {
  const page = new Page(kernel);
  yield* page.text(`{"model_name":"${model}","model_version":"1",`);
  if (id !== undefined) yield* page.text(`"id":${JSON.stringify(id)},`);
  if (warnings.length > 0)
    yield* page.text(`"parameters":${JSON.stringify({ warnings: warnings.join("\n") })},`);
  yield* page.text('"outputs":[');
  let before = "";
  for (const { name, member, binary } of outputs) {
    const { dtype } = member;
    const shape = shapeOf(member).join();
    yield* page.text(`${before}{"name":"${name}","shape":[${shape}],"datatype":"${datatypeOf(dtype)}",`);
    if (binary) yield* page.text(`"parameters":{"binary_data_size":${bytesOf(member)}}}`);
    else {
      yield* page.text('"data":');
      yield* writeData(page, member);
      yield* page.text("}");
    }
    before = ",";
  }
  yield* page.text("]}");
  yield page.take();
}

function shapeOf(member: Tensor | Scalar): readonly number[] {
  return "address" in member ? member.shape : [];
}

function bytesOf(member: Tensor | Scalar): number {
  return "address" in member ? byteLength(member) : DTYPES[member.dtype].bytes;
}
