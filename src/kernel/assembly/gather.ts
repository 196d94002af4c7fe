// Gathers log-probabilities by class index, and scatters their gradients.
import { loadIndex, loadNumber, roundNumber, storeNumber, log2SizeOf } from "./formats";
import { logProbability } from "./line-sums";
import { Picks, elementAt, logitAt, sumsAt } from "./picks";

/** Cost of a pick in elements, mostly for reading memory out of order. */
const PICK_COST: i64 = 8;

/** Writes the values of the indices, which have been checked. */
export function gatherStep(at: usize, budget: i32): i32 {
  const picks = changetype<Picks>(at);
  return picks.wide ? visit<f64>(picks, budget, false) : visit<f32>(picks, budget, false);
}

/** Adds the gradients of the values to `base`, in the order of the indices, so that duplicates add up. */
export function scatterStep(at: usize, budget: i32): i32 {
  const picks = changetype<Picks>(at);
  return picks.wide ? visit<f64>(picks, budget, true) : visit<f32>(picks, budget, true);
}

function visit<K>(picks: Picks, budget: i32, back: bool): i32 {
  let left: i64 = budget;
  for (; picks.position < picks.end; picks.position++, picks.at = 0) {
    for (; picks.at < picks.picks; picks.at++) {
      if (left <= 0) return 0;
      left -= PICK_COST;
      const pick = elementAt(picks, picks.at, picks.picks);
      const c = usize(loadIndex(<usize>picks.index + (pick << log2SizeOf(picks.indexDtype)), picks.indexDtype));
      if (back) addGradient<K>(picks, pick, c);
      else storeNumber(<usize>picks.values + (pick << log2SizeOf(picks.dtype)), picks.dtype, f64(valueAt<K>(picks, c)));
    }
    left--;
  }
  return 1;
}

// @ts-ignore: decorator
@inline
function valueAt<K>(picks: Picks, c: usize): K {
  return logProbability<K>(logitAt<K>(picks, c), sumsAt<K>(picks), picks.pitch, picks.dtype);
}

/** Adds one upstream gradient, rounded to the dtype of the values as autograd does. */
// @ts-ignore: decorator
@inline
function addGradient<K>(picks: Picks, pick: usize, c: usize): void {
  const g = roundNumber(loadNumber(<usize>picks.grad + (pick << log2SizeOf(picks.gradDtype)), picks.gradDtype), picks.dtype);
  const to = <usize>picks.base + elementAt(picks, c, picks.classes) * sizeof<K>();
  store<K>(to, load<K>(to) + <K>g);
}
