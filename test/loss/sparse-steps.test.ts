/** Steps of sparse targets: no step does more than its share, whatever dimension is large. */
import { expect, it } from "vitest";
import { runToEnd, SLICE_ELEMENTS } from "../../src/kernel/step.ts";
import { planCrossEntropy } from "../../src/loss/cross-entropy.ts";
import { computeWhole } from "../../src/loss/plan.ts";
import { inRegion, kernel, place } from "../kernel/place.ts";

/** Steps that the fold of a mean with all gradients takes, the last of its computation. */
function stepsOf(positions: number, classes: number, picks: number): number {
  return inRegion((region) => {
    const filled = (dtype: "float32" | "uint8", shape: [number, number], value: number) =>
      place(region, dtype, shape, new Array(shape[0] * shape[1]).fill(value));
    const input = filled("float32", [positions, classes], 0);
    const target = filled("uint8", [positions, picks], 0);
    const targetWeight = filled("float32", [positions, picks], 1);
    const options = { targetWeight, returnGrad: true, returnGradTargetWeight: true };
    const plan = planCrossEntropy(input, target, options);
    const { steps } = computeWhole(kernel, plan, region.alloc(plan.bytes));
    runToEnd(steps.slice(0, -1));
    const fold = steps.at(-1)!;
    let count = 1;
    while (!fold(SLICE_ELEMENTS)) count++;
    return count;
  });
}

it.each([
  ["many picks of few classes", 1024, 2, 1024],
  ["many picks of many classes", 8, 200_000, 1024],
  ["one pick of few classes", 400_000, 2, 1],
])("are as many as the work of %s", (_title, positions, classes, picks) => {
  const sweeps = 2 * positions * classes;
  // Once for the upstream gradient, once for the loss, and once for each block of 2048 classes.
  const visits = positions * picks * (2 + Math.ceil(classes / 2048));
  // A step ends after the group that exhausts it.
  const most = 1.5 * SLICE_ELEMENTS;
  expect(stepsOf(positions, classes, picks)).toBeGreaterThanOrEqual(Math.floor((sweeps + visits) / most));
});
