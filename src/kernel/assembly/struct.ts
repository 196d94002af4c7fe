// Record of one fold with its operands and progress. `src/kernel/fold.ts` writes it field by field.

/** Positions whose state fits in the record, so that a fold can stop in the middle of their lines. */
export const OWN_WIDTH: usize = 4;

/** Arrays in the state of a group. */
export const STATE_ARRAYS: usize = 12;

/** Size that the loader reserves. */
export const FOLD_BYTES: usize = 608;

@unmanaged
export class Fold {
  gradOutputScalar: f64;
  smoothing: f64;
  ignoreIndex: i64;
  /** Results: sums of the losses and of the smooth terms, each in the format of sum.ts. */
  lossSum: f64;
  lossRest: f64;
  smoothSum: f64;
  smoothRest: f64;
  /** Scale of the z-loss, 0 for none, and the sum of the z-losses in the format of sum.ts. */
  zLossScale: f64;
  zLossSum: f64;
  zLossRest: f64;
  /** Layout. Element (o, c, i) lies at (o * classes + c) * inner + i. */
  outer: u32;
  classes: u32;
  inner: u32;
  /** Whether the compute type K is float64. */
  wide: u32;
  /** Addresses (0 for none) and dtypes. */
  x: u32;
  xDtype: u32;
  out: u32;
  target: u32;
  targetDtype: u32;
  gradTarget: u32;
  weight: u32;
  losses: u32;
  lossDtype: u32;
  gradOutput: u32;
  /** Factor of each position in K. */
  sampleWeight: u32;
  /** Output for the z-loss of each position. */
  zLosses: u32;
  /** Classes per position of sparse targets, with the weight of each and the output for its gradient. */
  picks: u32;
  targetWeight: u32;
  targetWeightDtype: u32;
  gradTargetWeight: u32;
  /** Outputs of each position: the class of the largest logit as int64, and whether it is the target as uint8. */
  predictions: u32;
  correct: u32;
  // Fields from here on belong to the kernels. The loader writes zeros.
  /** First position of the current group. */
  position: u32;
  /** Positions of the current group. */
  width: u32;
  /** Next class of the current sweep. */
  classAt: u32;
  phase: u32;
  /** Sum of the weights of all classes, in the format of sum.ts. */
  weightSum: f64;
  weightRest: f64;
  /** Whether the flows of the current group are scaled for the exponentials. */
  scaled: u32;
  /** Address of the {@link LineSums} record, written by the loader. 0 for losses. */
  lines: u32;
}

/** Offset of a small group's state in the record. */
export const OWN_STATE: usize = 208;

/** Returns the share of a target that label smoothing keeps. */
// @ts-ignore: decorator
@inline
export function keepOf(fold: Fold): f64 {
  return fold.smoothing > 0 ? 1 - fold.smoothing : 1;
}

/** Returns the share of a target that label smoothing gives to each class. */
// @ts-ignore: decorator
@inline
export function spreadOf(fold: Fold): f64 {
  return fold.smoothing > 0 ? fold.smoothing / f64(fold.classes) : 0;
}
