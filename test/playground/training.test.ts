/** Training steps and the curve of the loss, compared with the library's own arithmetic. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import type { Body, LossRequest, Operation } from "../../playground/request/request.ts";
import { replaceElement, scoreCurve, slopeOf, trainedScores } from "../../playground/request/training.ts";
import type { Nested } from "../../playground/tensors/slices.ts";
import { Refusal } from "../../playground/tensors/typed-arrays.ts";
import { crossEntropy } from "../../src/runtimes/node.ts";

function requestOf(operation: Operation, body: Body): LossRequest {
  const { input, target } = body as { input: Nested; target: Nested | undefined };
  return { operation, body, input, target, classNames: [], threeWays: false };
}

const withInput = (request: LossRequest, input: Nested): LossRequest =>
  requestOf(request.operation, { ...request.body, input });

/** Returns scores after steps by the library alone, on float32 arrays. */
function trainByLibrary(scores: number[][], classes: number[], rate: number, steps: number): Float32Array {
  const data = Float32Array.from(scores.flat());
  const shape = [scores.length, scores[0]!.length];
  const target = {
    dtype: "int64",
    shape: [classes.length],
    data: BigInt64Array.from(classes, BigInt),
  } as const;
  for (let step = 0; step < steps; step++) {
    const { gradInput } = crossEntropy({ dtype: "float32", shape, data }, target, { returnGrad: true });
    for (const [index, slope] of gradInput!.data.entries()) data[index] = data[index]! - rate * slope;
  }
  return data;
}

describe("training steps", () => {
  const scores = fc.array(
    fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 3, maxLength: 3 }),
    {
      minLength: 2,
      maxLength: 2,
    },
  );
  const classes = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2, maxLength: 2 });

  it("give the bits of the library's gradient, subtracted in float32, also after 20 of them", () => {
    fc.assert(
      fc.property(scores, classes, fc.constantFrom(0.1, 1, 3), (input, target, rate) => {
        let request = requestOf("cross_entropy", { input, target });
        for (let step = 0; step < 20; step++) request = withInput(request, trainedScores(request, rate));
        const values = (request.input as number[][]).flat().map(Math.fround);
        expect(values).toEqual([...trainByLibrary(input, target, rate, 20)]);
      }),
      { numRuns: 50 },
    );
  });

  it.each(
    EXAMPLES.filter(({ slug }) =>
      ["cats", "rows", "one-hot", "pixels", "masked", "tokens", "softcap", "teacher", "z-loss"].includes(
        slug,
      ),
    ).map((example) => [example.title, example] as const),
  )("lower the loss of %s, each of 10", (_title, { operation, input, target, options }) => {
    let request = requestOf(operation, { input, target, ...options });
    for (let step = 0; step < 10; step++) {
      const before = slopeOf(request).loss;
      request = withInput(request, trainedScores(request, 0.5));
      expect(slopeOf(request).loss).toBeLessThan(before);
    }
  });

  it("keep a masked score at -∞", () => {
    const input = [[1, "-Infinity", 0]];
    const trained = trainedScores(requestOf("cross_entropy", { input, target: [0] }), 1) as Nested[][];
    expect(trained[0]![1]).toBe("-Infinity");
  });

  it("do not depend on a gradient to go back from, nor on the results that the request asks for", () => {
    const plain = requestOf("cross_entropy", { input: [[1, 2]], target: [0] });
    const body = { ...plain.body, grad_output: 7, return_grad: true, return_predictions: true };
    expect(trainedScores(requestOf("cross_entropy", body), 1)).toEqual(trainedScores(plain, 1));
  });

  it.each<[Operation, Body, string, RegExp]>([
    ["log_softmax", { input: [[1, 2]], dim: 1 }, "no_loss", /has no loss/],
    ["cross_entropy", { input: [[1, 2]], target: [0], reduction: "none" }, "no_loss", /needs one loss/],
    ["cross_entropy", { input: [["NaN", 2]], target: [0] }, "no_gradient", /not a finite number/],
  ])("are refused for %s of %j", (operation, body, code, message) => {
    const step = (): Nested => trainedScores(requestOf(operation, body), 1);
    expect(step).toThrow(Refusal);
    expect(step).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });
});

describe("the curve over a score", () => {
  it("has the library's losses, the present one at the mark, and the gradient as its slope", () => {
    const input = [
      [2, 1, 0],
      [0.5, -1, 3],
    ];
    const { points, mark, slope } = scoreCurve(requestOf("cross_entropy", { input, target: [1, 0] }), [1, 0]);
    const lossAt = (score: number): number => {
      const data = Float32Array.from(input.flat());
      data[3] = score;
      const target = { dtype: "int64", shape: [2], data: BigInt64Array.of(1n, 0n) } as const;
      return crossEntropy({ dtype: "float32", shape: [2, 3], data }, target).loss!;
    };
    expect(points.map(({ x }) => x)).toEqual(Array.from({ length: 81 }, (_, k) => 5 * ((2 * k) / 80 - 1)));
    for (const { x, y } of points) expect(Math.fround(y)).toBe(lossAt(x));
    expect([mark.x, Math.fround(mark.y)]).toEqual([0.5, lossAt(0.5)]);
    expect(slope).toBeCloseTo((lossAt(0.51) - lossAt(0.49)) / 0.02, 3);
  });

  it.each([
    [0, 5],
    [4, 5],
    [4.5, 10],
    [-12, 15],
    [Number.NEGATIVE_INFINITY, 5],
  ])("of a score of %d reaches from minus to plus %i", (score, reach) => {
    const input = [[Number.isFinite(score) ? score : String(score), 0]];
    const { points } = scoreCurve(requestOf("cross_entropy", { input, target: [1] }), [0, 0]);
    expect([points[0]!.x, points.at(-1)!.x]).toEqual([-reach, reach]);
  });

  it("of a score of 3.4e38 reaches to float32's largest numbers, and of a larger score it is not drawn", () => {
    const curve = (score: number) =>
      scoreCurve(requestOf("cross_entropy", { input: [[score, 0]], target: [1] }), [0, 0]);
    expect(curve(3.4e38).points.at(-1)!.x).toBeCloseTo(3.4e38, -36);
    for (const score of [3.403e38, 1e308])
      expect(() => curve(score)).toThrow(
        expect.objectContaining({ code: "too_large", message: "This score is too large for a curve." }),
      );
  });

  it.each<[Operation, Body]>([
    ["cross_entropy", { input: [], target: [] }],
    ["cross_entropy", { input: [[], []], target: [[], []] }],
    ["nll_loss", { input: [[]], target: [-100] }],
    ["kl_div", { input: [], target: [] }],
  ])("is refused for %s of %j, which has no score", (operation, body) => {
    const curve = () => scoreCurve(requestOf(operation, body), [0]);
    expect(curve).toThrow(Refusal);
    expect(curve).toThrow("There is no score to change.");
  });

  it("is not drawn for more than 4096 scores", () => {
    const input = [Array.from({ length: 4097 }, () => 0)];
    const curve = () => scoreCurve(requestOf("cross_entropy", { input, target: [0] }), [0, 0]);
    expect(curve).toThrow(expect.objectContaining({ code: "too_large" }));
  });
});

it("an element is replaced in a copy", () => {
  const value = [[1, 2], [3, 4]]; // biome-ignore format: two rows
  expect(replaceElement(value, [1, 0], "NaN")).toEqual([
    [1, 2],
    ["NaN", 4],
  ]);
  expect(value[1]![0]).toBe(3);
  expect(replaceElement(1, [], 2)).toBe(2);
});
