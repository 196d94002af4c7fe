/** Results of a request, with the loss of one-hot rows in three ways. */
import "../../src/runtimes/node.ts";
import { describe, expect, it } from "vitest";
import type { Body, Operation } from "../../playground/request/request.ts";
import type { NamedLoss } from "../../playground/request/results.ts";
import { computeResults } from "../../playground/request/results.ts";
import type { Nested } from "../../playground/tensors/slices.ts";

function waysOf(operation: Operation, body: Body): readonly NamedLoss[] {
  const { input, target } = body as { input: Nested; target: Nested | undefined };
  return computeResults({ operation, body, input, target, classNames: [], threeWays: true }).threeWays;
}

describe("three ways", () => {
  const input = [[1, 2, 0], [3, 4, 1]]; // biome-ignore format: two rows

  it("give the same loss of one-hot rows", () => {
    const losses = waysOf("cross_entropy", { input, target: [[0, 1, 0], [1, 0, 0]] }).map(({ loss }) => loss); // biome-ignore format: two rows
    expect(losses).toHaveLength(3);
    expect(new Set(losses).size).toBe(1);
  });

  it.each<[string, Operation, Body]>([
    ["log_softmax", "log_softmax", { input }],
    ["kl_div", "kl_div", { input, target: [[0, 1, 0], [1, 0, 0]] }],
    ["class indices", "cross_entropy", { input, target: [0, 1] }],
    ["a row of probabilities", "cross_entropy", { input: [1, 2], target: [0, 1] }],
    ["a row with a share", "cross_entropy", { input, target: [[0, 0.5, 0.5], [1, 0, 0]] }],
    ["a row with two classes", "cross_entropy", { input, target: [[0, 1, 1], [1, 0, 0]] }],
    ["a row with NaN", "cross_entropy", { input, target: [[0, 1, "NaN"], [1, 0, 0]] }],
    ["target_weight", "cross_entropy", { input, target: [[0, 1], [1, 0]], target_weight: [[1, 1], [1, 1]] }],
  ])("are not those of %s", (_name, operation, body) => {
    expect(waysOf(operation, body)).toEqual([]);
  }); // biome-ignore format: a body a line
});
