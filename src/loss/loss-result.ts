/** Result of the losses, of which each has some members. */
import type { Scalar, Tensor } from "../tensor/tensor.ts";
import type { TermResults } from "./position-terms.ts";

/** Result of a loss with exactly one of `loss` (mean, sum) and `losses` (none). */
export interface LossResult extends TermResults {
  readonly loss?: Scalar;
  /** Loss of each position, in the target's shape. A shift leaves out the last positions of each sequence. */
  readonly losses?: Tensor;
  /** z-loss for mean and sum, which is part of `loss`. */
  readonly zLoss?: Scalar;
  /**
   * Divisor of the mean: the sum of the weights of all targets that are not ignored, of a sparse target 1 for each
   * position with a kept class, each times its sample weight. Probabilities have it only with sample weights.
   */
  readonly totalWeight?: Scalar;
  /** Gradient in the input's shape and dtype. */
  readonly gradInput?: Tensor;
  /** Gradient of a probability target in its shape and dtype. */
  readonly gradTarget?: Tensor;
  /** Gradient of the weights of a sparse target in their shape and dtype. */
  readonly gradTargetWeight?: Tensor;
  readonly warnings: readonly string[];
}
