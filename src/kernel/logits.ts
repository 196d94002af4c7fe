/** Transforms of logits before a loss, and of their gradient after it, in slices. */
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";
import type { Step } from "./step.ts";
import { sliced } from "./step.ts";

/** Exports of `assembly/logits.ts`. A `softcap` of 0 means none, a `temperature` of 1 has no effect. */
export interface LogitsExports {
  /** Replaces `n` logits by `softcap * tanh(x / softcap) / temperature`. */
  transformLogits(x: number, dtype: number, n: number, softcap: number, temperature: number): void;
  /** Multiplies `n` gradients by the derivative of the transform at `x`, rounded to the gradient's dtype. */
  transformLogitsGrad(
    x: number,
    xDtype: number,
    grad: number,
    dtype: number,
    n: number,
    softcap: number,
    temperature: number,
  ): void;
}

/** `softcap * tanh(x / softcap) / temperature`. Undefined leaves a factor out. */
export interface LogitTransform {
  readonly softcap: number | undefined;
  readonly temperature: number | undefined;
}

interface LogitsKernel {
  readonly exports: LogitsExports;
}

/** Transforms all logits in place. */
export function transformStep({ exports }: LogitsKernel, logits: Tensor, transform: LogitTransform): Step {
  const { code, bytes } = DTYPES[logits.dtype];
  const { softcap = 0, temperature = 1 } = transform;
  return sliced(elementCount(logits.shape), (at, n) =>
    exports.transformLogits(logits.address + at * bytes, code, n, softcap, temperature),
  );
}

/** Converts a gradient with respect to transformed logits into that of `logits`, in place. */
export function transformGradStep(
  { exports }: LogitsKernel,
  logits: Tensor,
  grad: Tensor,
  transform: LogitTransform,
): Step {
  const x = DTYPES[logits.dtype];
  const g = DTYPES[grad.dtype];
  const { softcap = 0, temperature = 1 } = transform;
  return sliced(elementCount(grad.shape), (at, n) => {
    const from = logits.address + at * x.bytes;
    exports.transformLogitsGrad(from, x.code, grad.address + at * g.bytes, g.code, n, softcap, temperature);
  });
}
