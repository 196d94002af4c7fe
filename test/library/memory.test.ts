/** Memory of the library: its growth, its limit, and its release. */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { crossEntropy, init, initSync, logSoftmax } from "lossd";
import { afterEach, describe, expect, it, vi } from "vitest";

const MiB = 1024 * 1024;
const KERNEL = readFileSync(new URL("../../dist/core/kernel.wasm", import.meta.url));

/** Memories that have been made since the last reset. */
const memories: WebAssembly.Memory[] = [];
const { Memory } = WebAssembly;
vi.stubGlobal("WebAssembly", {
  ...Object.fromEntries(
    Object.getOwnPropertyNames(WebAssembly).map((name) => [
      name,
      WebAssembly[name as keyof typeof WebAssembly],
    ]),
  ),
  Memory: class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(this);
    }
  },
});

function reset(maxBytes?: number): WebAssembly.Memory {
  memories.length = 0;
  initSync(KERNEL, { maxBytes });
  return memories[0]!;
}

afterEach(() => void reset());

/** Output of zeros is -log(length) everywhere. */
function logSoftmaxOf(length: number): Float32Array {
  const { output } = logSoftmax(
    { dtype: "float32", shape: [length], data: new Float32Array(length) },
    { dim: 0 },
  );
  return output.data;
}

describe("memory", () => {
  it("starts with 2.5 MiB, stays for small tensors, and grows to the size of a call", () => {
    const memory = reset();
    expect(memory.buffer.byteLength).toBe(2.5 * MiB);
    logSoftmaxOf(1000);
    expect(memory.buffer.byteLength).toBe(2.5 * MiB);
    logSoftmaxOf(2 * MiB);
    expect(memory.buffer.byteLength).toBeGreaterThan(8 * MiB);
    expect(memory.buffer.byteLength).toBeLessThan(12 * MiB);
    expect(memories).toEqual([memory]);
  });

  it("gives the same results before, in and after each growth", () => {
    reset();
    for (let length = 1; length <= 2 ** 22; length *= 4) {
      const want = Math.fround(-Math.log(length));
      const got = logSoftmaxOf(length);
      expect(got.length).toBe(length);
      expect(Math.max(...new Set(got))).toBeCloseTo(want, 5);
      expect(logSoftmaxOf(3)[2]).toBeCloseTo(-Math.log(3), 6);
    }
  });

  it("grows once per call", () => {
    const grow = vi.spyOn(reset(), "grow");
    const data = new Float32Array(MiB);
    const input = { dtype: "float32", shape: [MiB], data } as const;
    logSoftmax(input, { dim: 0, returnGrad: true, gradOutput: input });
    expect(grow).toHaveBeenCalledTimes(1);
  });

  it("of more than 64 MiB is collected after the call, and the next call takes a new one", async () => {
    reset();
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    logSoftmaxOf(20 * MiB);
    const large = new WeakRef(memories[0]!);
    memories.length = 0;
    // Calls of the same turn go on with it.
    logSoftmaxOf(3);
    expect(memories).toEqual([]);
    await expect
      .poll(() => {
        collect();
        // Not the memory itself, which the matcher would hold.
        return large.deref() === undefined;
      })
      .toBe(true);
    logSoftmaxOf(3);
    expect(memories.map(({ buffer }) => buffer.byteLength)).toEqual([2.5 * MiB]);
  });
});

describe("maxBytes", () => {
  it.each([3 * MiB, 3 * MiB + 1, 4 * MiB - 1, 64 * MiB])("of %d bytes limits the memory", (maxBytes) => {
    const memory = reset(maxBytes);
    const large = Math.ceil(maxBytes / 4);
    expect(() => logSoftmaxOf(large)).toThrow(RangeError);
    expect(() => logSoftmaxOf(large)).toThrow(
      new RegExp(
        `^logSoftmax: no room for \\d+ more bytes: the memory may take ${maxBytes - (maxBytes % 65_536)} bytes \\(maxBytes\\)$`,
      ),
    );
    expect(memory.buffer.byteLength).toBe(2.5 * MiB);
    const fitting = Math.floor((maxBytes - 1.6 * MiB) / 8) * 2;
    expect(logSoftmaxOf(fitting).length).toBe(fitting);
    expect(memory.buffer.byteLength).toBeLessThanOrEqual(maxBytes);
  });

  it.each([0, 2.5 * MiB - 1, 2 ** 32 + 1, -1])("of %d bytes is a RangeError", async (maxBytes) => {
    const message = `maxBytes: expected 2621440 to 4294967296 bytes, got ${maxBytes}`;
    expect(() => initSync(KERNEL, { maxBytes })).toThrow(new RangeError(`initSync: ${message}`));
    await expect(init(KERNEL, { maxBytes })).rejects.toThrow(new RangeError(`init: ${message}`));
  });

  it("that is no integer is a TypeError", () => {
    expect(() => initSync(KERNEL, { maxBytes: 1.5 })).toThrow(
      "initSync: maxBytes: expected an integer, got 1.5",
    );
  });

  it("under another name is a TypeError", async () => {
    const options = { maxbytes: 64 * MiB } as object;
    const message = "unknown option maxbytes; did you mean maxBytes?";
    expect(() => initSync(KERNEL, options)).toThrow(new TypeError(`initSync: ${message}`));
    await expect(init(KERNEL, options)).rejects.toThrow(new TypeError(`init: ${message}`));
    expect(() => initSync(KERNEL, [] as object)).toThrow(
      "initSync: options: expected an object, got an Array",
    );
  });
});

it("throws a RangeError with its cause where the engine has no more memory, and goes on", () => {
  const memory = reset();
  const cause = new RangeError("Maximum memory size exceeded");
  const grow = vi.spyOn(memory, "grow").mockImplementation(() => {
    throw cause;
  });
  expect(() => logSoftmaxOf(MiB)).toThrow(
    expect.objectContaining({
      name: "RangeError",
      message: expect.stringMatching(
        /^logSoftmax: no room for \d+ more bytes: the engine .* beyond 2621440 bytes$/,
      ),
      cause,
    }),
  );
  grow.mockRestore();
  const input = { dtype: "float32", shape: [1, 2], data: Float32Array.of(0, 0) } as const;
  const target = { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) } as const;
  expect(crossEntropy(input, target).loss).toBeCloseTo(Math.LN2, 6);
});
