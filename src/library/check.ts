/** Checks the types of all arguments before the losses apply PyTorch's checks. */

import { LossError } from "../loss/loss-error.ts";
import type { DType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { MAX_RANK } from "../tensor/tensor.ts";
import { nearest } from "../user-error.ts";
import type {
  ArrayTensor,
  CrossEntropyOptions,
  KlDivOptions,
  LogSoftmaxOptions,
  LogSoftmaxSelection,
  NllLossOptions,
  TypedArrays,
} from "./types.ts";

/** Typed array constructor of each dtype. */
export const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const satisfies { [D in DType]: { new (buffer: ArrayBuffer): TypedArrays[D]; name: string } };

/** Checks the value of argument `where` and may convert it. Throws a TypeError with the expected type. */
type Check<Value> = (where: string, value: unknown) => Value;

type Checks = Readonly<Record<string, Check<unknown>>>;

/** Options as their checks returned them. */
type Checked<Table extends Checks> = { readonly [Name in keyof Table]?: ReturnType<Table[Name]> };

function check<Value>(expected: string, accepts: (value: unknown) => value is Value): Check<Value> {
  return (where, value) => {
    if (accepts(value)) return value;
    throw wrong(where, expected, value);
  };
}

const isNumber = (value: unknown): value is number => typeof value === "number";
const isInteger = (value: unknown): value is number => Number.isInteger(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isString = (value: unknown): value is string => typeof value === "string";
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
const isDType = (value: unknown): value is DType => isString(value) && Object.hasOwn(DTYPES, value);
const orNull =
  <Value>(accepts: (value: unknown) => value is Value) =>
  (value: unknown): value is Value | null =>
    value === null || accepts(value);

const NAMES = Object.keys(DTYPES).join(", ");
const dtypeOf = check(`one of ${NAMES}`, isDType);
const flag = check("true or false", isBoolean);
const legacyFlag = check("true, false or null", orNull(isBoolean));

const SIZES = `an Array of at most ${MAX_RANK} sizes`;

/** Members of arrays of other libraries, whose elements may be in another order. */
const STRIDED = ["stride", "strides"];

/**
 * Checks a record { dtype, shape, data } with the dtype's typed array and at most 8 sizes from 0 on. The losses check
 * that shape and data agree, because a mismatch is a LossError. Rejects strided arrays.
 */
export function checkTensor(where: string, value: unknown): ArrayTensor {
  const members = ["dtype", "shape", "data"];
  const expected = `{ ${members.join(", ")} }`;
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    throw wrong(where, expected, value);
  const missing = members.filter((name) => (value as Record<string, unknown>)[name] === undefined);
  if (missing.length > 0) {
    throw new TypeError(
      `${where}: expected ${expected}, got ${describe(value)} without ${missing.join(", ")}`,
    );
  }
  const strided = STRIDED.find((name) => name in value);
  if (strided !== undefined)
    throw new TypeError(`${where}: expected ${expected}, got an object with ${strided}`);
  const { dtype, shape, data } = value as { readonly [Name in keyof ArrayTensor]: unknown };
  const known = dtypeOf(`${where}.dtype`, dtype);
  const sizes = checkShape(`${where}.shape`, shape);
  const { name } = ARRAYS[known];
  if (!ArrayBuffer.isView(data) || tagOf(data) !== name)
    throw wrong(`${where}.data`, `${withArticle(name)} for ${known}`, data);
  // As after a transfer to another thread. Engines from before 2024 lack `detached` and throw later.
  if ((data.buffer as ArrayBuffer).detached)
    throw new TypeError(`${where}.data: expected an array with memory, got a detached one`);
  return { dtype: known, shape: sizes, data: data as TypedArrays[DType] } as ArrayTensor;
}

function checkShape(where: string, value: unknown): number[] {
  if (!Array.isArray(value)) throw wrong(where, SIZES, value);
  // Read once and by index, because the array may be a proxy or have an iterator of its own.
  const { length } = value;
  if (!isSize(length) || length > MAX_RANK) throw wrong(where, SIZES, length);
  return Array.from({ length }, (_, axis) => {
    const size: unknown = value[axis];
    if (!isSize(size)) throw wrong(`${where}[${axis}]`, "an integer from 0 on", size);
    // 0 for -0.
    return Math.abs(size);
  });
}

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Accepts a bigint or a safe integer. Rejects values outside int64 with {@link LossError}. */
function checkIgnoreIndex(where: string, value: unknown): bigint {
  if (typeof value !== "bigint" && !Number.isSafeInteger(value))
    throw wrong(where, "a bigint or a safe integer", value);
  const index = BigInt(value as bigint | number);
  if (index >= INT64.min && index <= INT64.max) return index;
  throw new LossError(
    "option_out_of_range",
    "ignore_index",
    `ignore_index must be between ${INT64.min} and ${INT64.max}. Got: ${describe(index)}`,
  );
}

const TRANSFORM = { temperature: check("a number", isNumber), softcap: check("a number", isNumber) };

const GRADIENT = { returnGrad: flag, gradOutput: checkTensor };

/** Options of `init` and `initSync`. */
export const INIT = { maxBytes: check("an integer", isInteger) };

/** Options of `logSoftmax`. */
export const LOG_SOFTMAX = {
  dim: check("an integer or null", orNull(isInteger)),
  dtype: check(`one of ${NAMES} or null`, orNull(isDType)),
  ...TRANSFORM,
  index: checkTensor,
  topK: check("an integer", isInteger),
  returnLse: flag,
  returnEntropy: flag,
  ...GRADIENT,
  gradLse: checkTensor,
  gradEntropy: checkTensor,
} satisfies Record<keyof LogSoftmaxOptions | keyof LogSoftmaxSelection, Check<unknown>>;

/** Options of `nllLoss`. */
export const NLL_LOSS = {
  weight: checkTensor,
  sampleWeight: checkTensor,
  ignoreIndex: checkIgnoreIndex,
  reduction: check("a string", isString),
  sizeAverage: legacyFlag,
  reduce: legacyFlag,
  dim: check("an integer or null", orNull(isInteger)),
  shift: check("an integer from 0 on", isSize),
  dtype: check(`one of ${NAMES} or null`, orNull(isDType)),
  ...GRADIENT,
} satisfies Record<keyof NllLossOptions, Check<unknown>>;

/** Options of `crossEntropy`. */
export const CROSS_ENTROPY = {
  ...NLL_LOSS,
  labelSmoothing: check("a number", isNumber),
  ...TRANSFORM,
  lseSquareScale: check("a number", isNumber),
  returnZLoss: flag,
  returnPredictions: flag,
  returnCorrect: flag,
  targetWeight: checkTensor,
  returnGradTargetWeight: flag,
  returnGradTarget: flag,
} satisfies Record<keyof CrossEntropyOptions, Check<unknown>>;

/** Options of `klDiv`. */
export const KL_DIV = {
  reduction: check("a string", isString),
  sizeAverage: legacyFlag,
  reduce: legacyFlag,
  logTarget: flag,
  fromLogits: flag,
  dim: check("an integer or null", orNull(isInteger)),
  temperature: check("a number or null", orNull(isNumber)),
  returnGradTarget: flag,
  ...GRADIENT,
} satisfies Record<keyof KlDivOptions, Check<unknown>>;

/**
 * Checks options against a table, also those that a class has as accessors. Throws a TypeError for unknown names,
 * including inherited ones, and for wrong types.
 */
export function checkOptions<Table extends Checks>(
  where: string,
  options: unknown,
  table: Table,
): Checked<Table> {
  if (typeof options !== "object" || options === null || tagOf(options) !== "Object")
    throw wrong(`${where}: options`, "an object", options);
  for (const name in options) if (!Object.hasOwn(table, name)) throw unknownOption(where, name, table);
  const checked: Record<string, unknown> = {};
  for (const name in table) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined) checked[name] = table[name]!(`${where}: ${name}`, value);
  }
  return checked as Checked<Table>;
}

function unknownOption(where: string, name: string, table: Checks): TypeError {
  const letters = (text: string): string => text.replaceAll("_", "").toLowerCase();
  const known = Object.keys(table);
  const near = nearest(letters(name), known.map(letters));
  const meant = known.find((other) => letters(other) === near);
  const advice = meant === undefined ? `expected one of ${known.join(", ")}` : `did you mean ${meant}?`;
  return new TypeError(`${where}: unknown option ${shorten(name)}; ${advice}`);
}

export function wrong(where: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${where}: expected ${expected}, got ${describe(value)}`);
}

/** Describes a value for a message and shortens the caller's texts. */
function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the string ${JSON.stringify(shorten(value))}`;
    case "bigint":
      return `${shorten(String(value))}n`;
    case "symbol":
    case "function":
      return `a ${typeof value}`;
    case "object":
      if (value === null) return "null";
      return tagOf(value) === "Object" ? "an object" : withArticle(shorten(tagOf(value)));
    default:
      return String(value);
  }
}

/** Returns the built-in kind of an object, such as "Array" or "Float32Array", also across realms. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function withArticle(name: string): string {
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64).toWellFormed()}...` : text;
}
