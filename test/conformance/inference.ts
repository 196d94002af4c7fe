/** Requests and answers of the Open Inference Protocol, written and read without any of the service's code. */
import type { CaseTensor } from "./case.ts";
import { bytesOf } from "./forms.ts";

const DATATYPES: Readonly<Record<string, string>> = {
  float64: "FP64",
  float32: "FP32",
  float16: "FP16",
  bfloat16: "BF16",
  int64: "INT64",
  int32: "INT32",
  int16: "INT16",
  uint8: "UINT8",
  bool: "BOOL",
};

export interface InferenceCall {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** An inference request with these tensors and options; all tensors in JSON, or all as bytes, both ways. */
export function inferenceCall(fields: Readonly<Record<string, unknown>>, binary: boolean): InferenceCall {
  const inputs: unknown[] = [];
  const bytes: Buffer[] = [];
  const parameters: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || typeof value !== "object") {
      parameters[name] = value;
      continue;
    }
    const { dtype, shape, data } = value as CaseTensor;
    const input = { name, shape, datatype: DATATYPES[dtype] };
    const raw = bytesOf(dtype, data.map(Number));
    if (binary) bytes.push(raw);
    inputs.push(binary ? { ...input, parameters: { binary_data_size: raw.length } } : { ...input, data });
  }
  if (binary) parameters.binary_data_output = true;
  const json = Buffer.from(JSON.stringify({ inputs, parameters }));
  return {
    headers: binary ? { "inference-header-content-length": String(json.length) } : {},
    body: Buffer.concat([json, ...bytes]),
  };
}

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly parameters?: { readonly binary_data_size: number };
  readonly data?: readonly unknown[];
}

/** The outputs of an answer by their names, in the forms in which the JSON contract has tensors. */
export function outputsOf(
  bytes: Buffer,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, unknown> {
  const length = headers["inference-header-content-length"];
  let at = length === undefined ? bytes.length : Number(length);
  const { outputs } = JSON.parse(bytes.subarray(0, at).toString()) as { outputs: Output[] };
  const members: Record<string, unknown> = {};
  for (const { name, shape, datatype, parameters, data } of outputs) {
    const [dtype] = Object.entries(DATATYPES).find(([, known]) => known === datatype)!;
    if (parameters === undefined) members[name] = { dtype, shape, data };
    else {
      const end = at + parameters.binary_data_size;
      members[name] = { dtype, shape, base64: bytes.subarray(at, end).toString("base64") };
      at = end;
    }
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes follow the outputs`);
  return members;
}
