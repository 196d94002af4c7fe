/** The calls of torch2-refusals.jsonl: read, and asked of the library. */
import { readFileSync } from "node:fs";
import type { ArrayTensor } from "../../src/library/types.ts";
import { LossError } from "../../src/loss/loss-error.ts";
import { crossEntropy, logSoftmax, nllLoss } from "../../src/runtimes/node.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { bytesOf, numbersOf } from "./forms.ts";

type Operand = readonly [dtype: DType, shape: readonly number[]];
type Role = "input" | "target" | "weight" | "grad_output";

/** A call as the file has it: dtypes and shapes; generate_refusals.py says which numbers stand in them. */
export interface Call {
  readonly op: "log_softmax" | "nll_loss" | "cross_entropy";
  readonly input: Operand;
  readonly target?: Operand;
  readonly weight?: Operand;
  readonly grad_output?: Operand;
  readonly dim?: number;
  readonly dtype?: DType;
  readonly reduction?: string;
  readonly ignore_index?: number;
  readonly label_smoothing?: number;
  readonly outside?: boolean;
  readonly return_grad?: boolean;
  readonly return_grad_target?: boolean;
}

type Numbers = readonly (number | string)[];

/** An answer: PyTorch's words, or a dtype with a shape, as `float32[2,3]`, and the numbers. */
export interface Outcome {
  readonly refused?: string;
  readonly output?: string;
  readonly data?: Numbers;
  readonly grad_input?: Numbers;
  readonly grad_target?: Numbers;
}

/** The calls with PyTorch's answers, by their names. */
export function readCalls(): Map<string, { readonly call: Call; readonly torch: Outcome }> {
  const text = readFileSync(new URL("torch2-refusals.jsonl", import.meta.url), "utf8");
  const [head, ...lines] = text.trimEnd().split("\n");
  const { messages } = JSON.parse(head!) as { messages: string[] };
  return new Map(
    lines.map((line) => {
      const { refused, output, data, grad_input, grad_target, ...call } = JSON.parse(line);
      const torch: Outcome =
        refused === undefined ? { output, data, grad_input, grad_target } : { refused: messages[refused]! };
      return [nameOf(call), { call, torch }];
    }),
  );
}

/** A call's name: its operands and options, as in `nll_loss input=float32[2,4] target=int64[2]`. */
export function nameOf({ op, ...rest }: Call): string {
  const parts = Object.entries(rest)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${Array.isArray(value) ? `${value[0]}[${value[1]}]` : value}`);
  return [op, ...parts].join(" ");
}

function classesOf(shape: readonly number[]): number {
  return shape.length < 2 ? (shape[0] ?? 1) : shape[1]!;
}

/** The numbers of an operand. */
export function numbersFor(role: Role, call: Call): number[] {
  const [dtype, shape] = call[role]!;
  const isFloat = dtype.includes("float");
  const classes = classesOf(call.input[1]);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Array.from({ length: count }, (_, i) => {
    switch (role) {
      case "input":
        return isFloat ? (((7 * i) % 11) - 5) / 4 : i % 3;
      case "target":
        return isFloat ? ((i % 4) + 1) / 8 : (5 * i) % Math.max(classes, 1);
      case "weight":
        return isFloat ? ((i % 3) + 1) / 2 : (i % 3) + 1;
      default:
        return ((i % 5) - 2) / 4;
    }
  });
  if (role === "target" && call.outside && count > 0 && !isFloat) data[count - 1] = classes;
  return data;
}

function tensorFor(role: Role, call: Call): ArrayTensor | undefined {
  const operand = call[role];
  if (operand === undefined) return undefined;
  const [dtype, shape] = operand;
  const { buffer, byteOffset, length } = bytesOf(dtype, numbersFor(role, call));
  const bytes = buffer.slice(byteOffset, byteOffset + length);
  const arrays = {
    float64: Float64Array,
    float32: Float32Array,
    int64: BigInt64Array,
    int32: Int32Array,
    uint8: Uint8Array,
    float16: Uint16Array,
    bfloat16: Uint16Array,
  };
  return { dtype, shape, data: new arrays[dtype](bytes as ArrayBuffer) } as ArrayTensor;
}

/** The library's answer. */
export function askLibrary(call: Call): Outcome {
  const input = tensorFor("input", call)!;
  const target = tensorFor("target", call)!;
  const options = {
    gradOutput: tensorFor("grad_output", call),
    returnGrad: call.return_grad,
  };
  const loss = {
    ...options,
    weight: tensorFor("weight", call),
    reduction: call.reduction,
    ignoreIndex: call.ignore_index,
  };
  try {
    // biome-ignore lint/suspicious/noExplicitAny: the calls are wrong on purpose
    const results: Record<Call["op"], () => any> = {
      log_softmax: () => logSoftmax(input, { ...options, dim: call.dim, dtype: call.dtype } as object),
      nll_loss: () => nllLoss(input as never, target as never, loss as object),
      cross_entropy: () =>
        crossEntropy(
          input as never,
          target as never,
          {
            ...loss,
            labelSmoothing: call.label_smoothing,
            returnGradTarget: call.return_grad_target,
          } as object,
        ),
    };
    return outcomeOf(results[call.op]());
  } catch (error) {
    if (error instanceof LossError) return { refused: error.message };
    throw error;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: any result of the library
function outcomeOf({ loss, losses, output, gradInput, gradTarget }: any): Outcome {
  const values = (tensor: ArrayTensor): number[] => {
    const { dtype, data } = tensor;
    if (data instanceof BigInt64Array) return Array.from(data, Number);
    return numbersOf(dtype, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  };
  const tensor = output ?? losses;
  return {
    // The library gives the loss of mean and sum as a number.
    output: tensor === undefined ? "[]" : `${tensor.dtype}[${tensor.shape}]`,
    data: tensor === undefined ? [loss] : values(tensor),
    ...(gradInput ? { grad_input: values(gradInput) } : {}),
    ...(gradTarget ? { grad_target: values(gradTarget) } : {}),
  };
}
