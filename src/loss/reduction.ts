import { LossError } from "./errors.ts";

/** How per-position losses become the answer. */
export type Reduction = "none" | "mean" | "sum";

/** The three arguments from which PyTorch works out the reduction. */
export interface ReductionOptions {
  /** "none", "mean" or "sum" ("elementwise_mean": deprecated). Default "mean". */
  readonly reduction?: string | undefined;
  /** Deprecated: with `reduce`, overrides `reduction`. */
  readonly sizeAverage?: boolean | null | undefined;
  /** Deprecated: with `sizeAverage`, overrides `reduction`. */
  readonly reduce?: boolean | null | undefined;
}

/**
 * Resolves the reduction as `torch.nn._reduction` does: when `sizeAverage` or `reduce` is given, `reduction` is not
 * looked at, not even to refuse it. Deprecated ways add a warning. Refuses unknown words; case counts.
 */
export function resolveReduction(options: ReductionOptions, warnings: string[]): Reduction {
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
    `${reduction.slice(0, 64).toWellFormed()} is not a valid value for reduction; expected none, mean or sum`,
  );
}
