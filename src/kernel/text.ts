/** The kernels that read and write text: their exports, and the tables that they work with. */

/** What `assembly/scan.ts`, `print/`, `base64.ts` and `powers.ts` export. Addresses are bytes. */
export interface TextExports {
  /** Makes the tables of the number reader, `assembly/read/`; once, before the first scan. */
  fillReadTables(): void;
  /** Begins a scan in the `scanBytes` bytes at `scan`, whose numbers go to [next, end). */
  scanStart(scan: number, inference: number, next: number, end: number): void;
  /** Scans the bytes in [from, to); 0 or the number of a refusal. The state says what was used. */
  scanPiece(scan: number, from: number, to: number): number;
  scanIsDone(scan: number): number;
  /**
   * Prints `n` elements that begin at `from` and are number `index` and so on of a tensor, with the commas and brackets between them;
   * the `levels` inner lists hold as many elements as the words at `spansAt` say. Dtype 7 prints empty lists. Returns the address after the last character.
   */
  printElements(from: number, dtype: number, index: number, n: number, levels: number, to: number): number;
  /** Prints `n` float32 or float64 (dtypes 1 and 0) as a flat list by the scalar reference, which the tests compare with. */
  printReference(from: number, dtype: number, n: number, to: number): number;
  /** Fills the tables of the printers from the powers of ten; to be called once, after {@link writePowers}. */
  fillPrintTables(): void;
  /** Writes `n` bytes as padded base64; returns the address after the last character. */
  encodeBase64(from: number, n: number, to: number): number;
  readonly scanBytes: number;
  readonly scanCounts: number;
  readonly scanStack: number;
  readonly scanCuts: number;
  readonly scanSkeleton: number;
  readonly windowAt: number;
  readonly windowBytes: number;
  readonly spansAt: number;
  readonly paperAt: number;
  readonly paperBytes: number;
  readonly powersAt: number;
  readonly scalesAt: number;
}

/** The ranges of `assembly/powers.ts`. */
const POWERS = { from: -342, to: 308 };
const SCALES = { from: -324, to: 292 };

/** Writes the powers of ten into the kernels' memory: about 20 KB in a millisecond, instead of a generated source file. */
export function writePowers(run: TextExports, memory: WebAssembly.Memory): void {
  const view = new DataView(memory.buffer);
  const put = (at: number, value: bigint, low: bigint): void => {
    view.setBigUint64(at, value >> low, true);
    view.setBigUint64(at + 8, value & ((1n << low) - 1n), true);
  };
  for (let q = POWERS.from; q <= POWERS.to; q++) {
    put(run.powersAt + (q - POWERS.from) * 16, upperBits(q, 128n) + (q < 0 ? 1n : 0n), 64n);
  }
  for (let k = SCALES.from; k <= SCALES.to; k++) {
    put(run.scalesAt + (k - SCALES.from) * 16, upperBits(-k, 126n) + 1n, 63n);
  }
}

/** The upper `bits` bits of 10^q, cut off. */
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
