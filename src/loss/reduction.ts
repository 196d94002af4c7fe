import { LossError } from "./loss-error.ts";

/** Reduction of the per-position losses. */
export type Reduction = "none" | "mean" | "sum";

/** PyTorch's three arguments for the reduction. */
export interface ReductionOptions {
  /** "none", "mean" or "sum". "elementwise_mean" is deprecated. Default "mean". */
  readonly reduction?: string | undefined;
  /** Deprecated. Overrides `reduction` together with `reduce`. */
  readonly sizeAverage?: boolean | null | undefined;
  /** Deprecated. Overrides `reduction` together with `sizeAverage`. */
  readonly reduce?: boolean | null | undefined;
}

/**
 * Resolves the reduction as `torch.nn._reduction` does. `sizeAverage` and `reduce` override `reduction` without
 * checking it and add a warning. Rejects unknown words, case-sensitively, and names the `expected` ones.
 */
export function resolveReduction(
  options: ReductionOptions,
  warnings: string[],
  expected = "none, mean or sum",
): Reduction {
  const { reduction = "mean", sizeAverage = null, reduce = null } = options;
  if (sizeAverage !== null || reduce !== null) {
    const legacy = (reduce ?? true) ? ((sizeAverage ?? true) ? "mean" : "sum") : "none";
    warnings.push(
      `size_average and reduce args will be deprecated, please use reduction='${legacy}' instead.`,
    );
    return legacy;
  }
  if (reduction === "elementwise_mean") {
    warnings.push("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.");
    return "mean";
  }
  if (reduction === "none" || reduction === "mean" || reduction === "sum") return reduction;
  throw new LossError(
    "invalid_reduction",
    "reduction",
    `${reduction.slice(0, 64).toWellFormed()} is not a valid value for reduction; expected ${expected}`,
  );
}
