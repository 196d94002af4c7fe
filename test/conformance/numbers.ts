/** Elements as bytes and back, without any of the service's code or any runtime's modules. */

const WIDTHS: Readonly<Record<string, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  uint8: 1,
  bool: 1,
};

/** Little-endian bytes of numbers in a dtype. */
export function encodeElements(dtype: string, numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const width = WIDTHS[dtype]!;
  const view = new DataView(new ArrayBuffer(numbers.length * width));
  numbers.forEach((value, at) => {
    const to = at * width;
    if (dtype === "float64") view.setFloat64(to, value, true);
    else if (dtype === "float32") view.setFloat32(to, value, true);
    else if (dtype === "float16") view.setUint16(to, float16Bits(value), true);
    else if (dtype === "bfloat16") view.setUint16(to, bfloat16Bits(value), true);
    else if (dtype === "int64") view.setBigInt64(to, BigInt(value), true);
    else if (dtype === "int32") view.setInt32(to, value, true);
    else if (dtype === "int16") view.setInt16(to, value, true);
    else view.setUint8(to, value);
  });
  return new Uint8Array(view.buffer);
}

/** Numbers of little-endian bytes in a dtype. */
export function numbersOf(dtype: string, bytes: Uint8Array): number[] {
  const width = WIDTHS[dtype]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: number[] = [];
  for (let from = 0; from < bytes.length; from += width) numbers.push(numberAt(dtype, view, from));
  return numbers;
}

function numberAt(dtype: string, view: DataView, from: number): number {
  if (dtype === "float64") return view.getFloat64(from, true);
  if (dtype === "float32") return view.getFloat32(from, true);
  if (dtype === "float16") return float16Value(view.getUint16(from, true));
  if (dtype === "int64") return Number(view.getBigInt64(from, true));
  if (dtype === "int32") return view.getInt32(from, true);
  if (dtype === "uint8") return view.getUint8(from);
  return bfloat16Value(view.getUint16(from, true));
}

const word = new DataView(new ArrayBuffer(8));

function bfloat16Value(bits: number): number {
  word.setUint32(0, bits * 65_536);
  return word.getFloat32(0);
}

/** Nearest even, by way of float32, which is exact for what a shortest decimal of bfloat16 says. */
function bfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

// DataView has had float16 since Node 24 only.

function float16Value(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Nearest even. */
function float16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = Object.is(Math.sign(value), -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65_520) return sign | 0x7c00;
  word.setFloat64(0, size);
  const exponent = Math.max((word.getUint16(0) >> 4) - 1023, -14);
  const scaled = size * 2 ** (10 - exponent);
  const below = Math.floor(scaled);
  const rest = scaled - below;
  const rounded = below + Number(rest > 0.5 || (rest === 0.5 && below % 2 === 1));
  return sign | ((exponent + 14) * 1024 + rounded);
}
