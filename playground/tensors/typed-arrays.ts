/** Nested lists to the typed arrays of lossd's library, and back, with the conversions that the server makes. */
import type { ArrayTensor, DType } from "./library.ts";
import type { Indices, Nested } from "./slices.ts";
import { MAX_RANK, shapeOf, toNumber, unravel } from "./slices.ts";

/** Larger integers are not exact in JSON, so the server refuses them. */
export const MAX_INTEGER = 2 ** 53;

/** Thrown for numbers that lossd does not accept: the library's and the server's code, the field and the element. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: string;
  readonly field: string;
  /** Indices of the refused element, or of the list that is not as long as those beside it. Empty for the whole field. */
  readonly at: Indices;
  constructor(code: string, field: string, at: Indices, message: string) {
    super(message);
    this.code = code;
    this.field = field;
    this.at = at;
  }
}

/** Typed array of each dtype, from the elements in row-major order. */
const ARRAYS = {
  float64: (values) => Float64Array.from(values),
  float32: (values) => Float32Array.from(values),
  float16: (values) => new Uint16Array(Float16Array.from(values).buffer),
  bfloat16: (values) => Uint16Array.from(values, bfloat16Bits),
  int64: (values) => BigInt64Array.from(values, BigInt),
  int32: (values) => Int32Array.from(values),
  uint8: (values) => Uint8Array.from(values),
} satisfies Record<DType, (values: readonly number[]) => ArrayTensor["data"]>;

/**
 * Converts nested lists to a tensor, each element rounded once to the dtype.
 *
 * @throws {Refusal} for lists of different lengths, more than 8 dimensions, and an element that is no integer of int64
 */
export function toTensor(field: string, value: Nested, dtype: DType): ArrayTensor {
  const shape = shapeOf(value);
  if (shape.length > MAX_RANK)
    throw new Refusal("rank_too_high", field, [], `expected at most ${MAX_RANK} dimensions`);
  const ragged = raggedList(value, shape, []);
  if (ragged !== undefined) {
    const message = "expected a list of the same length and depth as those beside it";
    throw new Refusal("ragged_tensor", field, ragged, message);
  }
  const elements = elementsOf(value);
  if (dtype === "int64") {
    const wrong = elements.findIndex((one) => !isExactInteger(one));
    if (wrong >= 0) {
      const message = "expected an integer that int64 holds, up to 2^53";
      throw new Refusal("invalid_element", field, unravel(wrong, shape), message);
    }
  }
  return { dtype, shape, data: ARRAYS[dtype](elements.map(toNumber)) } as ArrayTensor;
}

/** Converts a tensor to nested lists of decimals with the bits of its elements. */
export function fromTensor({ dtype, shape, data }: ArrayTensor): Nested {
  const values = Array.from<number | bigint, number>(READERS[dtype]?.(data) ?? data, Number);
  return nest(dtype === "float64" ? values.map(named) : values.map(float32Text), shape);
}

/** Views of the dtypes whose bits are stored in another array. */
const READERS: { readonly [D in DType]?: (data: ArrayTensor["data"]) => ArrayLike<number> } = {
  float16: (data) => new Float16Array(data.slice().buffer),
  bfloat16: (data) => new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer),
};

/** Reads the little-endian bytes of a tensor, as the format base64 has them. */
export function fromBase64(dtype: DType, shape: readonly number[], base64: string): Nested {
  const { buffer } = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return fromTensor({ dtype, shape, data: new VIEWS[dtype](buffer) } as ArrayTensor);
}

const VIEWS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const satisfies Record<DType, { new (buffer: ArrayBuffer): ArrayTensor["data"] }>;

/** Smallest normal float32. A smaller number may need fewer digits. */
const MIN_NORMAL = 2 ** -126;

/** Returns a short decimal with the bits of this float32, or the name of a non-finite number. */
export function float32Text(value: number): number | string {
  if (!Number.isFinite(value) || value === 0) return named(value);
  // The decimal of 7 digits is that of fewer if they suffice.
  for (let digits = Math.abs(value) < MIN_NORMAL ? 1 : 7; ; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
}

/** Returns a number, or its name in JSON if it is not finite. */
export function named(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** Returns the indices of the first list or element that is not like those beside it. */
function raggedList(value: Nested, shape: readonly number[], at: Indices): Indices | undefined {
  const [length, ...inner] = shape;
  if (!Array.isArray(value)) return length === undefined ? undefined : at;
  if (value.length !== length) return at;
  for (const [index, one] of value.entries()) {
    const found = raggedList(one, inner, [...at, index]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isExactInteger(element: Nested): boolean {
  const isInteger = typeof element === "bigint" || (typeof element === "number" && Number.isInteger(element));
  return isInteger && element >= -MAX_INTEGER && element <= MAX_INTEGER;
}

function elementsOf(value: Nested): Nested[] {
  return Array.isArray(value) ? value.flatMap(elementsOf) : [value];
}

/** Arranges elements in row-major order as nested lists. */
export function nest(values: readonly Nested[], shape: readonly number[]): Nested {
  if (shape.length === 0) return values[0]!;
  const inner = shape.slice(1);
  const size = inner.reduce((product, one) => product * one, 1);
  return Array.from({ length: shape[0]! }, (_, index) =>
    nest(values.slice(index * size, (index + 1) * size), inner),
  );
}

/** Returns the 16 bits of the nearest bfloat16, ties to even. */
export function bfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const view = new DataView(new ArrayBuffer(4));
  const single = Math.fround(value);
  view.setFloat32(0, single);
  const bits = view.getUint32(0);
  // The first rounding may have made a tie, which the double then decides.
  const isTie = (bits & 0xffff) === 0x8000;
  const toward = isTie ? Math.sign(Math.abs(value) - Math.abs(single)) : 0;
  const half = 0x7fff + (toward === 0 ? (bits >>> 16) & 1 : (toward + 1) / 2);
  return Number.isFinite(single) ? (bits + half) >>> 16 : bits >>> 16;
}

export function roundBfloat16(value: number): number {
  return new Float32Array(Uint32Array.of(bfloat16Bits(value) << 16).buffer)[0]!;
}
