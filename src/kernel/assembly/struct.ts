// The record of one fold: what it reads and writes, and how far it has come. `src/kernel/fold.ts` writes it, field by field.

/** Positions whose state fits in the record itself, so that a fold can stop in the middle of their lines. */
export const OWN_WIDTH: usize = 4;

/** Arrays of the state of a group of positions. */
export const STATE_ARRAYS: usize = 10;

/** The size that the loader reserves. */
export const FOLD_BYTES: usize = 512;

@unmanaged
export class Fold {
  gradOutputScalar: f64;
  smoothing: f64;
  ignoreIndex: i64;
  /** Results: the losses added up, and the smooth terms; each a sum of sum.ts. */
  lossSum: f64;
  lossRest: f64;
  smoothSum: f64;
  smoothRest: f64;
  /** The layout: element (o, c, i) lies at (o * classes + c) * inner + i. */
  outer: u32;
  classes: u32;
  inner: u32;
  /** Whether the compute type K is float64. */
  wide: u32;
  /** Addresses, 0 for none, and dtypes. */
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
  // What follows belongs to the kernels; the loader writes zeros.
  /** The first position of the group in hand. */
  position: u32;
  /** Positions of the group in hand. */
  width: u32;
  /** The next class of the sweep in hand. */
  classAt: u32;
  phase: u32;
  /** The weights of all classes added up: a sum of sum.ts. */
  weightSum: f64;
  weightRest: f64;
  /** Whether the flows of the group in hand are scaled as the exponentials need it. */
  scaled: u32;
}

/** Where the record keeps the state of a small group. */
export const OWN_STATE: usize = 160;
