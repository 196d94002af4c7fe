/** Bodies read whole, for the tests: one kernel and a small Arena, and JavaScript arrays where the service has none. */

import type { Kernel } from "../../../src/kernel/load.ts";
import { loadKernel } from "../../../src/kernel/load.ts";
import { Problem } from "../../../src/problems.ts";
import { chooseBuild } from "../../../src/server/build.ts";
import type { Region } from "../../../src/tensor/arena.ts";
import { Arena } from "../../../src/tensor/arena.ts";
import type { JsonBody, JsonMode, NumberSpan } from "../../../src/wire/json/reader.ts";
import { JsonReader } from "../../../src/wire/json/reader.ts";

export const kernel: Kernel = loadKernel(48 * 1024 * 1024, chooseBuild(true));
export const arena = new Arena(kernel.heapBase, kernel.u8.length);

/** A place to work in, returned afterwards. */
export function inRegion<Result>(work: (region: Region) => Result, bytes = 8 * 1024 * 1024): Result {
  const region = arena.reserve(bytes);
  try {
    return work(region);
  } finally {
    region.release();
  }
}

/** How a body is handed over: in pieces of so many bytes, or in two pieces that meet at a byte. */
export type Pieces = { readonly size: number } | { readonly at: number };

const WHOLE: Pieces = { size: Number.POSITIVE_INFINITY };

export function scan(
  region: Region,
  text: string | Uint8Array,
  mode: JsonMode = "contract",
  pieces: Pieces = WHOLE,
): JsonBody {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  const reader = new JsonReader(kernel, region, mode);
  if ("at" in pieces) {
    reader.push(bytes.subarray(0, pieces.at));
    reader.push(bytes.subarray(pieces.at));
  } else {
    const size = Math.min(pieces.size, Math.max(bytes.length, 1));
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  }
  return reader.end();
}

/** The numbers or bytes of a numbers. */
export function contents({ kind, address, length }: NumberSpan): number[] {
  if (kind === "base64") return [...kernel.u8.subarray(address, address + length)];
  return [...kernel.f64.subarray(address / 8, address / 8 + length)];
}

export interface Reading {
  readonly value: unknown;
  readonly numberSpans: readonly { kind: string; shape: readonly number[]; contents: readonly number[] }[];
}

/** What a body says, with the contents of its tensors, or how it is refused. */
export function read(text: string | Uint8Array, mode?: JsonMode, pieces?: Pieces): Reading | Problem {
  return inRegion((region) => {
    try {
      const { value, numberSpans } = scan(region, text, mode, pieces);
      return {
        value,
        numberSpans: numberSpans.map((numbers) => ({
          kind: numbers.kind,
          shape: numbers.shape,
          contents: contents(numbers),
        })),
      };
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  });
}

/** The numbers of `{"input":[...]}`. Fails where the list is refused. */
export function readNumbers(list: string): readonly number[] {
  const reading = read(`{"input":[${list}]}`);
  if (reading instanceof Problem) throw reading;
  return reading.numberSpans[0]!.contents;
}
