/** Computes requests in the page with lossd's library. A response has the members and numbers of the server's. */

import type {
  ArrayTensor,
  CrossEntropyOptions,
  KlDivOptions,
  LogSoftmaxOptions,
} from "../tensors/library.ts";
import { crossEntropy, klDiv, LossError, logSoftmax, nllLoss } from "../tensors/library.ts";
import type { Nested } from "../tensors/slices.ts";
import { shapeOf, unravel } from "../tensors/slices.ts";
import { float32Text, fromTensor, MAX_INTEGER, named, Refusal, toTensor } from "../tensors/typed-arrays.ts";
import { FIELDS, integerField } from "./fields.ts";
import type { Body, Operation } from "./request.ts";

/** Fields that choose how the server writes a response. */
const ENCODINGS = ["format", "non_finite"];

type Float = "float64" | "float32" | "float16" | "bfloat16";
type Options = CrossEntropyOptions & KlDivOptions & LogSoftmaxOptions;
type Result = Readonly<Record<string, ArrayTensor | number | readonly string[] | undefined>>;

/** Functions of the library, by the names of the operations. */
const FUNCTIONS: Readonly<
  Record<Operation, (input: ArrayTensor<Float>, body: Body, options: Options) => object>
> = {
  cross_entropy: (input, body, options) => crossEntropy(input, targetOf(input, body), options),
  nll_loss: (input, body, options) =>
    nllLoss(input, operand("target", body, "int64") as ArrayTensor<"int64">, options),
  log_softmax: (input, _body, options) => logSoftmax(input, options),
  kl_div: (input, body, options) =>
    klDiv(input, operand("target", body, "float32") as ArrayTensor<"float32">, options),
};

/**
 * Returns the response to a request, with nested tensors and named non-finite numbers.
 *
 * @throws {Refusal} where the library rejects the request
 */
export function compute(operation: Operation, body: Body): Body {
  try {
    const input = operand("input", body, "float32") as ArrayTensor<"float32">;
    return toResponse(FUNCTIONS[operation](input, body, optionsOf(operation, body)) as Result, body);
  } catch (error) {
    throw asRefusal(error, body);
  }
}

function operand(name: string, body: Body, dtype: Float | "int64"): ArrayTensor {
  return toTensor(name, body[name] as Nested, dtype);
}

/** Reads a target of the input's shape as probabilities, as the server does. */
function targetOf(input: ArrayTensor, body: Body): ArrayTensor {
  const isShares =
    body.target_weight === undefined && shapeOf(body.target as Nested).join() === input.shape.join();
  return operand("target", body, isShares ? lossDType(body) : "int64");
}

/** Returns the dtype of losses and of the operands beside the input. */
function lossDType({ dtype }: Body): Float {
  return (dtype ?? "float32") as Float;
}

function optionsOf(operation: Operation, body: Body): Options {
  const dtype = operation === "log_softmax" ? "float32" : lossDType(body);
  const isTensor = (name: string): boolean =>
    FIELDS.some((field) => field.name === name && field.kind === "tensor");
  const options = Object.entries(body)
    .filter(([name]) => !["input", "target", ...ENCODINGS].includes(name))
    .map(([name, value]) => [
      camelCase(name),
      isTensor(name) ? operand(name, body, name === "index" ? "int64" : dtype) : toOption(name, value),
    ]);
  return Object.fromEntries(options) as Options;
}

/** Converts an integer option to the library's type, in the range that the server accepts. */
function toOption(name: string, value: unknown): unknown {
  const field = integerField(name);
  if (field === undefined || (typeof value !== "number" && typeof value !== "bigint")) return value;
  const { min = -MAX_INTEGER } = field.range!;
  const limit =
    value > MAX_INTEGER ? `most ${MAX_INTEGER}` : value < -MAX_INTEGER ? `least ${min}` : undefined;
  if (limit !== undefined) throw new Refusal("invalid_request", name, [], `expected at ${limit}`);
  // The library takes 2^53, which is no safe integer, as a bigint only.
  return name === "ignore_index" && Number.isInteger(Number(value)) ? BigInt(value) : Number(value);
}

function toResponse(result: Result, body: Body): Body {
  const members = Object.entries(result).flatMap(([name, value]) => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
    return [[snakeCase(name), toMember(value, body)]];
  });
  return Object.fromEntries(members) as Body;
}

function toMember(value: NonNullable<Result[string]>, body: Body): unknown {
  if (typeof value === "number") return lossDType(body) === "float64" ? named(value) : float32Text(value);
  return "data" in value ? fromTensor(value) : value;
}

function asRefusal(error: unknown, body: Body): unknown {
  if (error instanceof LossError) {
    const { code, field, element, message } = error;
    return new Refusal(
      code,
      field,
      element === undefined ? [] : unravel(element, shapeOf(body[field] as Nested)),
      message,
    );
  }
  // The library names the argument first: "crossEntropy: shift: expected an integer from 0 on, got -1".
  const [, option, message] =
    /^\w+: (\w+): (.*)$/.exec(error instanceof TypeError ? error.message : "") ?? [];
  return option === undefined ? error : new Refusal("invalid_request", snakeCase(option), [], message!);
}

/** Converts a name of the API to a name of the library: `return_grad` to `returnGrad`. */
function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
