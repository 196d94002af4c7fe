// Sizes of groups, the positions that are folded together, and of their blocks of classes.
import { BLOCK, SHORT_BLOCK, SHORT_INNER } from "./lines";
import { MAX_WIDTH } from "./state";
import { Fold, OWN_WIDTH } from "./struct";

/** Classes above which columns are folded in parts, so that a step can stop within them. */
const LONG_LINE: usize = 65536;
/** Largest group of columns in elements, because a step divides only groups of up to OWN_WIDTH positions. */
const MAX_GROUP_ELEMENTS: usize = 1 << 20;
/** Largest group of positions by the picks of sparse targets. */
const MAX_GROUP_PICKS: usize = 1 << 16;
/** Positions that justify a pass over the tensor, a run of 256 bytes per class. */
const MIN_WIDTH: usize = 64;

/**
 * Rows of at most this many classes are processed together as columns, which share the cost of a maximum and a
 * logarithm. This is 1.5 times as fast for cross_entropy of 64 classes. At 96 classes a block of columns exceeds the
 * first-level cache, which halves the speed of log_softmax.
 */
export const SMALL_ROW: u32 = 64;

/**
 * Returns the positions per group of columns, as many as fill a block with all of their classes. Bounded below by runs
 * of whole cache lines and above by the largest undivided group. Takes whole outer positions if there are few inner
 * ones.
 */
export function columnsAtOnce(fold: Fold): usize {
  const classes = max<usize>(fold.classes, 1);
  if (classes > LONG_LINE) return OWN_WIDTH;
  const inner = <usize>fold.inner;
  const width = min(min(max(blockOf(fold) / classes, MIN_WIDTH), MAX_WIDTH), MAX_GROUP_ELEMENTS / classes) & ~3;
  return inner < width && inner < SHORT_INNER ? width - (width % inner) : width;
}

/** Returns the positions per group of sparse targets. Whole outer positions if there are few inner ones. */
export function positionsOfPicks(fold: Fold): usize {
  if (fold.picks <= 1) return MAX_WIDTH;
  const inner = <usize>fold.inner;
  const most = max<usize>(MAX_GROUP_PICKS / fold.picks, 1);
  return inner < SHORT_INNER ? max(most - (most % inner), inner) : most;
}

/**
 * Returns the classes per block of columns. Independent of the group's width, so that a position's sum is the same in
 * any group.
 */
export function classesAtOnce(fold: Fold): usize {
  return blockOf(fold) / ((columnsAtOnce(fold) + 3) & ~3);
}

/** Returns the elements per block of columns, fewer for short runs because these take longest. */
function blockOf(fold: Fold): usize {
  return <usize>fold.inner < SHORT_INNER || <usize>fold.classes > LONG_LINE ? SHORT_BLOCK : BLOCK;
}
