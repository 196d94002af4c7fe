/** NaN of any bits, as PyTorch and processors write them, stays NaN where results are rounded to another dtype. */
import { klDiv } from "lossd";
import { expect, it } from "vitest";

const HALF = { float16: 0x3800, bfloat16: 0x3f00 } as const;

it.each(
  (["float16", "bfloat16"] as const).flatMap((dtype) =>
    [0x7fc00000, 0x7fffffff, 0xffffffff, 0x7fff8000, 0x7f800001].map(
      (bits) => [dtype, bits.toString(16), bits] as const,
    ),
  ),
)("a %s target beside NaN of the bits %s", (dtype, _hex, bits) => {
  const nan = { dtype: "float32", shape: [1], data: new Float32Array(Uint32Array.of(bits).buffer) } as const;
  const half = { dtype, shape: [1], data: Uint16Array.of(HALF[dtype]) } as const;
  const one = { ...nan, data: Float32Array.of(-0.5) } as const;
  const grads = { reduction: "none", returnGrad: true, returnGradTarget: true } as const;
  for (const logTarget of [false, true]) {
    const gradOfNaN = klDiv(nan, half, { ...grads, logTarget, gradOutput: one });
    const upstreamNaN = klDiv(one, half, { ...grads, logTarget, gradOutput: nan });
    for (const { gradTarget } of [gradOfNaN, upstreamNaN]) {
      const [result] = gradTarget!.data as Uint16Array;
      const exponent = dtype === "float16" ? 0x7c00 : 0x7f80;
      expect(result! & 0x7fff).toBeGreaterThan(exponent);
    }
  }
});
