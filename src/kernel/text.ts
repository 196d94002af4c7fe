/** Exports of the kernels that read and write text, and their tables. */

/** Exports of `assembly/scan/`, `print/`, `base64.ts` and `powers.ts`. Addresses are in bytes. */
export interface TextExports {
  /** Fills the tables of the number reader in `assembly/read/`. Called once before the first scan. */
  fillReadTables(): void;
  /** Begins a scan with `scanBytes` bytes of state at `scan`. Numbers are written to [next, end). */
  scanStart(scan: number, inference: number, next: number, end: number): void;
  /** Scans the bytes in [from, to) and returns 0 or an error number. The state holds the bytes used. */
  scanPiece(scan: number, from: number, to: number): number;
  scanIsDone(scan: number): number;
  /**
   * Prints `n` elements at `from`, starting with element `index` of a tensor, with commas and brackets. `levels` inner
   * lists have the lengths at `listLengthsAt`. Dtype 63 prints empty lists, and 64 added to a dtype prints non-finite numbers as null. Returns the address after the last
   * character.
   */
  printElements(from: number, dtype: number, index: number, n: number, levels: number, to: number): number;
  /** Prints `n` float32 or float64 (dtypes 1 and 0) as a flat list with the scalar reference, for tests. */
  printReference(from: number, dtype: number, n: number, to: number): number;
  /** Fills the printers' tables from the powers of ten. Called once after {@link writePowers}. */
  fillPrintTables(): void;
  /** Writes `n` bytes as padded base64 and returns the address after the last character. */
  encodeBase64(from: number, n: number, to: number): number;
  readonly scanBytes: number;
  readonly scanCounts: number;
  readonly scanStack: number;
  readonly scanSpans: number;
  readonly scanSkeleton: number;
  readonly inputAt: number;
  readonly inputBytes: number;
  readonly listLengthsAt: number;
  readonly outputAt: number;
  readonly outputBytes: number;
  readonly powersAt: number;
  readonly scalesAt: number;
}

/** Ranges of `assembly/powers.ts`. */
const POWERS = { from: -342, to: 308 };
const SCALES = { from: -324, to: 293 };

/** Writes the powers of ten into the kernels' memory. 20 KB take a millisecond, so no generated source file is needed. */
export function writePowers(exports: TextExports, memory: WebAssembly.Memory): void {
  const view = new DataView(memory.buffer);
  const put = (at: number, value: bigint, low: bigint): void => {
    view.setBigUint64(at, value >> low, true);
    view.setBigUint64(at + 8, value & ((1n << low) - 1n), true);
  };
  for (let q = POWERS.from; q <= POWERS.to; q++) {
    put(exports.powersAt + (q - POWERS.from) * 16, upperBits(q, 128n) + (q < 0 ? 1n : 0n), 64n);
  }
  for (let k = SCALES.from; k <= SCALES.to; k++) {
    put(exports.scalesAt + (k - SCALES.from) * 16, upperBits(-k, 126n) + 1n, 63n);
  }
}

/** Returns the upper `bits` bits of 10^q, truncated. */
function upperBits(q: number, bits: bigint): bigint {
  if (q >= 0) {
    const power = 10n ** BigInt(q);
    const excess = bitLength(power) - bits;
    return excess >= 0n ? power >> excess : power << -excess;
  }
  const divisor = 10n ** BigInt(-q);
  const quotient = (1n << (bitLength(divisor) + bits)) / divisor;
  return quotient >> (bitLength(quotient) - bits);
}

function bitLength(value: bigint): bigint {
  return BigInt(value.toString(16).length * 4 - Math.clz32(Number.parseInt(value.toString(16)[0]!, 16)) + 28);
}
