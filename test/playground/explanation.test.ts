/** Explanations in the playground. Evaluates the arithmetic between the equals signs and compares it with the printed number. */

import "../../src/runtimes/node.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import type { Body, LossRequest, Operation } from "../../playground/request/request.ts";
import { reductionOf } from "../../playground/request/request.ts";
import type { Results } from "../../playground/request/results.ts";
import { computeResults } from "../../playground/request/results.ts";
import { transformScore } from "../../playground/request/scores.ts";
import type { Step } from "../../playground/steps/step.ts";
import { stepsOf } from "../../playground/steps/steps.ts";
import { factor } from "../../playground/tensors/arithmetic.ts";
import type { Nested } from "../../playground/tensors/slices.ts";
import { elementAt, toNumber } from "../../playground/tensors/slices.ts";

const resultsOf = (operation: Operation, body: Body): Results => {
  const request: LossRequest = {
    operation,
    body,
    input: body.input as Nested,
    target: body.target as Nested | undefined,
    classNames: [],
    threeWays: false,
  };
  return computeResults(request);
};

const NUMBER = /\d+(?:\.\d+)?(?:e[-+]?\d+)?/g;

/** Evaluates arithmetic as a sentence shows it, after a change of each of its numbers. */
function evaluate(arithmetic: string, change: (number: number, index: number) => number): number {
  let count = 0;
  // Exponentials beyond a double are shares nevertheless.
  const scores = [...arithmetic.matchAll(/exp\(([^)]*)\)/g)].map(([, score]) =>
    Number(score!.replace("−", "-")),
  );
  const isShare = scores.length > 1;
  const most = scores.filter(Number.isFinite).reduce((one, other) => Math.max(one, other), -Infinity);
  const script = arithmetic
    .replaceAll(/exp\(([^)∞]*)\)/g, (all, score: string) =>
      isShare ? `exp(${score} − ${factor(most)})` : all,
    )
    .replaceAll("−", "-")
    .replaceAll("×", "*")
    .replaceAll("²", "**two")
    .replaceAll("tanh", "Math.tanh")
    .replaceAll("∞", "Infinity")
    .replaceAll("exp", "Math.exp")
    .replaceAll("log", "Math.log")
    .replaceAll(NUMBER, (number) => `(${change(Number(number), count++)})`)
    .replaceAll("two", "2");
  expect(script).toMatch(/^(?:Math\.exp|Math\.log|Math\.tanh|Infinity|NaN|[-+*/() \d.e])*$/);
  return Function(`return ${script}`)() as number;
}

/** Relative errors of results that are rounded to these types. */
const ERRORS: Readonly<Record<string, number>> = { float16: 2 ** -11, bfloat16: 2 ** -8 };

/** Returns how far the rounding of each number to four digits can move the value of arithmetic. */
function roundingError(arithmetic: string): number {
  const numbers: number[] = [];
  const exact = evaluate(arithmetic, (number) => {
    numbers.push(number);
    return number;
  });
  const errors = numbers.map((number, index) => {
    const halfUnit = number === 0 ? 0 : 0.5 * 10 ** (Math.floor(Math.log10(number)) - 3);
    const shifted = [number - halfUnit, number + halfUnit].map((moved) =>
      evaluate(arithmetic, (same, at) => (at === index ? moved : same)),
    );
    return Math.max(...shifted.map((value) => Math.abs(value - exact)));
  });
  return errors.reduce((sum, error) => sum + error, 0);
}

/** Whether a sentence's arithmetic gives its number, as exactly as the four digits that are shown of each operand allow, and differences in three. */
function expectTrue(sentence: string, value: number): void {
  const [equation = "", words = ""] = sentence.split(": ");
  const [name, ...sides] = equation.split(" = ");
  if (/^(?:input|target)/.test(name!)) {
    const [whole] = sides[0]!.split(",");
    expect(toNumber(whole!.replaceAll("−", "-").replace("∞", "Infinity")), sentence).toBe(value);
    return;
  }
  expect(name, sentence).toMatch(
    /^(?:transformed|softmax|log_softmax|loss|z_losses|grad_input|grad_target|grad_target_weight)(?:\[[\d, ]+\])?$/,
  );
  const shown = toNumber(sides.at(-1)!.replaceAll("−", "-").replace("∞", "Infinity"));
  expect(shown, sentence).toBe(Number.isFinite(value) ? Number(value.toPrecision(4)) : value);
  const [arithmetic] = sides.slice(0, -1);
  if (arithmetic === undefined || arithmetic.includes("...")) return;
  const got = evaluate(arithmetic, (number) => number);
  if (!Number.isFinite(value)) {
    expect(got, sentence).toBe(value);
    return;
  }
  const type = /rounded to (\w+)/.exec(words)?.[1] ?? "";
  if (/^(?:softmax|log_softmax|grad_input)/.test(name!) && words.indexOf("target's weight") < 0) {
    // The rounding error of a probability grows with the magnitude of its logarithm.
    const rounding = ERRORS[type] ?? 0;
    const error = rounding * (name!.startsWith("softmax") ? Math.max(1, -Math.log(value + 1e-300)) : 1);
    expect(Math.abs(got - value), sentence).toBeLessThanOrEqual(
      // A gradient is a difference of probabilities, which are of size 1.
      (2e-3 + 2 * error) * Math.abs(value) + 2e-7 + (name!.startsWith("grad") ? 1e-6 + 4 * rounding : 0),
    );
    return;
  }
  const rounding = roundingError(arithmetic);
  expect(Math.abs(got - value), sentence).toBeLessThanOrEqual(
    rounding + (5e-4 + 4 * (ERRORS[type] ?? 0)) * Math.abs(value) + 1e-7,
  );
}

/** Steps without arithmetic. */
const PLAIN = ["z-loss", "predictions", "correct"];

/** Every cell of every step. */
function expectAllTrue(results: Results): void {
  const { request, response, logProbs, losses, gradInput, gradTarget, others } = results;
  const values: Record<string, (at: readonly number[]) => number> = {
    input: (at) => toNumber(elementAt(request.input, at)),
    target: (at) => toNumber(elementAt(request.target!, at)),
    transformed: (at) => transformScore(request, toNumber(elementAt(request.input, at))),
    softmax: (at) => Math.exp(toNumber(elementAt(logProbs, at))),
    log: (at) => toNumber(elementAt(logProbs, at)),
    losses: (at) => toNumber(elementAt(losses!, at)),
    result: () => toNumber(response.loss),
    gradient: (at) => toNumber(elementAt(gradInput!, at)),
    "gradient-target": (at) => toNumber(elementAt(gradTarget!, at)),
  };
  for (const { id, slices, explain } of stepsOf(results)) {
    const other = others[id.replaceAll("-", "_")]!;
    const valueAt = values[id] ?? ((at) => toNumber(elementAt(other, at)));
    for (const { rows } of slices.slices) {
      for (const { at, value } of rows.flatMap(({ cells }) => cells)) {
        expect(value, id).toBe(valueAt(at));
        if (PLAIN.includes(id)) expect(explain(at)).toMatch(/^\w+(?:\[[\d, ]+\])? = \S+$/);
        else expectTrue(explain(at), valueAt(at));
      }
    }
  }
}

function sumOfAll(value: Nested): number {
  return Array.isArray(value)
    ? value.reduce((sum: number, inner: Nested) => sum + sumOfAll(inner), 0)
    : toNumber(value);
}

/** Whether a number is another except for rounding to a dtype. */
function expectClose(value: number, other: number, dtype = "float32"): void {
  const error = (1e-5 + 4 * (ERRORS[dtype] ?? 0)) * Math.abs(other) + 1e-6;
  if (Number.isFinite(other)) expect(Math.abs(value - other)).toBeLessThanOrEqual(error);
  else expect(value).toBe(other);
}

/** Nested lists of a shape. */
function fill(shape: readonly number[], next: () => number | string): Nested {
  const [size, ...rest] = shape;
  return size === undefined ? next() : Array.from({ length: size }, () => fill(rest, next));
}

const shapes = fc.constantFrom([3], [1, 2], [2, 3], [3, 5], [2, 3, 2], [1, 2, 2, 3]);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe("every cell is explained by arithmetic that gives its number", () => {
  it.each(EXAMPLES.map((example) => [example.title, example] as const))("in %s", async (_title, example) => {
    const { operation, input, target, options } = example;
    expectAllTrue(
      resultsOf(operation, {
        input,
        ...(target === undefined ? {} : { target }),
        return_grad: true,
        ...options,
      }),
    );
  });

  it("of losses, for every kind of target, weights, smoothing, ignored positions, reductions and upstream gradients", async () => {
    const options = fc.record({
      shape: shapes,
      seed: seeds,
      kind: fc.constantFrom("nll", "index", "probabilities"),
      weighted: fc.boolean(),
      smoothing: fc.constantFrom(0, 0, 0.1, 0.5, 1),
      reduction: fc.constantFrom("mean", "sum", "none"),
      legacy: fc.constantFrom(
        {},
        {},
        { reduce: false },
        { size_average: false },
        { size_average: true, reduce: true },
      ),
      upstream: fc.boolean(),
      infinite: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        options,
        async ({ shape, seed, kind, weighted, smoothing, reduction, legacy, upstream, infinite }) => {
          let state = seed;
          const random = (): number => {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            return state / 2 ** 32;
          };
          const round = (value: number): number => Math.round(value * 10) / 10;
          const dim = shape.length === 1 ? 0 : 1;
          const classes = shape[dim]!;
          const positions = shape.toSpliced(dim, 1);
          const input = fill(shape, () =>
            infinite && random() < 0.1 ? "-Infinity" : round(4 * random() - 2),
          );
          const target =
            kind === "probabilities"
              ? fill(shape, () => round(random()))
              : fill(positions, () => (random() < 0.2 ? -100 : Math.floor(random() * classes)));
          const words = { reduction, ...legacy };
          const body = {
            input,
            target,
            ...words,
            return_grad: true,
            ...(weighted && { weight: fill([classes], () => round(random() * 2)) }),
            ...(kind !== "nll" && { label_smoothing: smoothing }),
            ...(kind === "probabilities" && { return_grad_target: true }),
            ...((upstream || reductionOf(words) === "none") && {
              grad_output: fill(reductionOf(words) === "none" ? positions : [], () =>
                round(random() * 2 - 1),
              ),
            }),
          };
          expectAllTrue(resultsOf(kind === "nll" ? "nll_loss" : "cross_entropy", body));
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it("of losses, for the classes in any dimension, every dtype, shifts, transforms, factors of positions, the z-loss and sparse targets", async () => {
    const options = fc.record({
      shape: fc.constantFrom<number[][]>([3], [2, 3], [3, 2], [2, 3, 3], [1, 4, 2], [1, 2, 3, 2]),
      dim: fc.integer({ min: 0, max: 3 }),
      isNegative: fc.boolean(),
      seed: seeds,
      kind: fc.constantFrom("nll", "index", "index", "probabilities", "sparse"),
      shift: fc.constantFrom(0, 0, 1, 2),
      dtype: fc.constantFrom(undefined, undefined, "float64", "float32", "float16", "bfloat16"),
      transform: fc.constantFrom(
        {},
        {},
        { temperature: 0.5 },
        { softcap: 1.5 },
        { temperature: 3, softcap: 30 },
        { temperature: 1, softcap: 0.7 },
      ),
      zLoss: fc.constantFrom({}, {}, { lse_square_scale: 0.1, return_z_loss: true }),
      weighted: fc.boolean(),
      sampled: fc.boolean(),
      infinite: fc.boolean(),
      smoothing: fc.constantFrom(0, 0, 0.1),
      reduction: fc.constantFrom("mean", "sum", "none"),
    });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(options, async (chosen) => {
        const { shape, kind, isNegative, dtype, transform, zLoss, smoothing, reduction } = chosen;
        let state = chosen.seed;
        const random = (): number => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return state / 2 ** 32;
        };
        const round = (value: number): number => Math.round(value * 10) / 10;
        const dim = chosen.dim % shape.length;
        const isLast = dim === shape.length - 1 && shape.length > 1;
        const canShift = isLast && (kind === "nll" || kind === "index");
        const shift = canShift ? Math.min(chosen.shift, shape.at(-2)! - 1) : 0;
        const classes = shape[dim]!;
        const positions = shape.toSpliced(dim, 1);
        const lossShape = shift === 0 ? positions : positions.with(-1, positions.at(-1)! - shift);
        const index = () => (random() < 0.2 ? -100 : Math.floor(random() * classes));
        const picks = shape.with(dim, 2);
        const isCross = kind !== "nll";
        const body = {
          input: fill(shape, () =>
            chosen.infinite && random() < 0.1 ? "-Infinity" : round(4 * random() - 2),
          ),
          target:
            kind === "probabilities"
              ? fill(shape, () => round(random()))
              : fill(kind === "sparse" ? picks : positions, index),
          dim: isNegative ? dim - shape.length : dim,
          reduction,
          return_grad: true,
          ...(shift > 0 && { shift }),
          ...(dtype !== undefined && { dtype }),
          ...(isCross && { ...transform, ...zLoss, return_predictions: true }),
          ...(isCross && kind !== "sparse" && { label_smoothing: smoothing }),
          ...(kind === "index" && { return_correct: true }),
          ...(kind === "probabilities" && { return_grad_target: true }),
          ...(kind === "sparse" && {
            target_weight: fill(picks, () => round(random())),
            return_grad_target_weight: true,
          }),
          ...(chosen.weighted && { weight: fill([classes], () => round(random() * 2)) }),
          ...(chosen.sampled && { sample_weight: fill(positions, () => round(random() * 2)) }),
          ...(reduction === "none" && { grad_output: fill(lossShape, () => round(random() * 2 - 1)) }),
        };
        const results = resultsOf(isCross ? "cross_entropy" : "nll_loss", body);
        for (const { id } of stepsOf(results)) seen.add(id);
        expectAllTrue(results);
        const { loss } = results.response;
        if (reduction === "sum") expectClose(sumOfAll(results.losses!), toNumber(loss), dtype);
        if (reduction === "mean" && results.response.total_weight !== 0) {
          const divisor = results.response.total_weight ?? positions.reduce((count, size) => count * size, 1);
          expectClose(sumOfAll(results.losses!) / toNumber(divisor), toNumber(loss), dtype);
        }
      }),
      { numRuns: 400 },
    );
    expect([...seen].sort()).toEqual(
      [
        ...["input", "transformed", "softmax", "log", "losses", "result", "gradient", "gradient-target"],
        ...["z-loss", "z-losses", "predictions", "correct", "grad-target-weight"],
      ].sort(),
    );
  }, 120_000);

  it("of kl_div, for probabilities, logarithms and scores, temperatures and reductions", () => {
    const numbers = fc.array(fc.integer({ min: -30, max: 0 }), { minLength: 12, maxLength: 12 });
    const options = fc.record({
      numbers,
      kind: fc.constantFrom(
        {},
        { log_target: true },
        { from_logits: true },
        { from_logits: true, temperature: 2 },
      ),
      reduction: fc.constantFrom("mean", "sum", "batchmean", "none"),
      dim: fc.constantFrom({}, { dim: 0 }),
    });
    fc.assert(
      fc.property(options, ({ numbers, kind, reduction, dim }) => {
        const rows = (from: number, of: (n: number) => number): number[][] => [
          numbers.slice(from, from + 3).map(of),
          numbers.slice(from + 3, from + 6).map(of),
        ];
        const isShare = !("log_target" in kind) && !("from_logits" in kind);
        const body = {
          input: rows(0, (n) => n / 10),
          target: rows(6, (n) => (isShare ? -n / 30 : n / 10)),
          reduction,
          ...kind,
          ...("from_logits" in kind ? dim : {}),
          ...(reduction !== "none" && { return_grad: true, return_grad_target: true }),
        };
        expectAllTrue(resultsOf("kl_div", body));
      }),
      { numRuns: 200 },
    );
  });

  it("and not by arithmetic where the weights of all targets are 0", async () => {
    const body = { input: [[2, 1]], target: [0], weight: [0, 1], label_smoothing: 0.5, return_grad: true };
    const gradient = stepsOf(resultsOf("cross_entropy", body)).at(-1)!;
    expect(gradient.explain([0, 1])).toBe(
      "grad_input[0, 1] = NaN: total_weight, by which it is divided, is 0",
    );
  });

  it("of large scores, for every dtype, where the server rounds them first", async () => {
    const offsets = fc.constantFrom(-1e4, 1e3, 1234.5, 1e4);
    const rows = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(offsets, rows, async (offset, row) => {
        const input = [row.map((score) => score + offset)];
        expectAllTrue(resultsOf("cross_entropy", { input, target: [1], return_grad: true }));
        for (const dtype of ["float64", "float32", "float16", "bfloat16"])
          expectAllTrue(resultsOf("log_softmax", { input, dim: 1, dtype }));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("and says what the server makes of a score first, and of what it has no share", async () => {
    const input = [[70000, 1]];
    const [scores, softmax, log] = stepsOf(resultsOf("log_softmax", { input, dim: 1, dtype: "float16" }));
    expect(scores!.explain([0, 0])).toBe("input[0, 0] = 70000, rounded to float16 ∞");
    expect(softmax!.explain([0, 1])).toBe("softmax[0, 1] = NaN: softmax of a line with ∞ is undefined");
    expect(log!.explain([0, 0])).toMatch(/^log_softmax\[0, 0\] = ∞ − NaN = NaN: .*, rounded to float16$/);
  });

  it("of the one loss, by the losses that it is the mean or the sum of", () => {
    const input = [[2, 1], [0, 0]]; // biome-ignore format: two rows
    const explained = (body: Body, operation: Operation = "cross_entropy"): string =>
      stepsOf(resultsOf(operation, { input, target: [0, 1], ...body }))
        .find(({ id }) => id === "result")!
        .explain([]);
    expect(explained({})).toBe("loss = (0.3133 + 0.6931) / 2 = 0.5032");
    expect(explained({ reduction: "sum" })).toBe("loss = 0.3133 + 0.6931 = 1.006");
    expect(explained({ weight: [3, 1] })).toBe("loss = (0.9398 + 0.6931) / 4 = 0.4082");
    expect(explained({ target: [-100, -100] })).toBe(
      "loss = NaN: the sum is divided by the number of rows with a target, which is 0",
    );
    const batch = { target: [[1, 0], [0, 1]], reduction: "batchmean" }; // biome-ignore format: two rows
    expect(explained(batch, "kl_div")).toBe("loss = (−2 + 0 + 0 + 0) / 2 = −1");
  });

  it("with the digits that a difference needs", async () => {
    const input = [[1234.5678, 1234.9, 0]];
    const [scores, , log] = stepsOf(resultsOf("log_softmax", { input, dim: 1 }));
    expect(scores!.explain([0, 0])).toBe("input[0, 0] = 1234.5678");
    expect(log!.explain([0, 0])).toMatch(/= 1234\.568 − 1235\.441 = −0\.873: /);
  });

  it("with the weights of a gradient beside their shares", async () => {
    const body = { input: [[2, 1]], target: [0], weight: [3, 1], reduction: "sum", return_grad: true };
    const gradient = stepsOf(resultsOf("cross_entropy", body)).at(-1)!;
    expect(gradient.explain([0, 0])).toBe(
      "grad_input[0, 0] = 0.73106 × 3 − 3 = −0.8068: softmax times the sum of share × weight, minus this class's share × weight",
    );
    const smoothed = { ...body, label_smoothing: 0.5 };
    expect(stepsOf(resultsOf("cross_entropy", smoothed)).at(-1)!.explain([0, 0])).toMatch(/− 0\.75 × 3 = /);
  });

  it("with the formula of each option", async () => {
    const input = [[5, 1, -1]];
    const explain = async (body: Body, id: string, at: readonly number[]): Promise<string> => {
      const results = resultsOf("cross_entropy", { input, target: [0], return_grad: true, ...body });
      return stepsOf(results)
        .find((step) => step.id === id)!
        .explain(at);
    };
    const capped = { softcap: 2, temperature: 0.5 };
    expect(await explain(capped, "transformed", [0, 1])).toBe(
      "transformed[0, 1] = 2 × tanh(1 / 2) / 0.5 = 1.848",
    );
    expect(await explain({ temperature: 0.5 }, "transformed", [0, 1])).toBe(
      "transformed[0, 1] = 1 / 0.5 = 2",
    );
    expect(await explain(capped, "gradient", [0, 1])).toBe(
      "grad_input[0, 1] = (0.109 − 0) × 0.7864 / 0.5 = 0.1714: softmax minus the target's share of this class, times the slope of softcap × tanh(score / softcap), divided by temperature",
    );
    const zLoss = { lse_square_scale: 0.1, sample_weight: [2], reduction: "sum", return_z_loss: true };
    expect(await explain(zLoss, "losses", [0])).toBe(
      "loss[0] = (−(−0.02058) + 0.1 × 5.021²) × 2 = 5.082: minus the log_softmax at class 0, plus lse_square_scale times the squared logsumexp, times sample_weight",
    );
    expect(await explain({ ...zLoss, reduction: "none", return_grad: false }, "z-losses", [0])).toBe(
      "z_losses[0] = 0.1 × 5.021² × 2 = 5.041: lse_square_scale times the squared logsumexp, times sample_weight",
    );
    expect(await explain({ ...zLoss, sample_weight: [1] }, "gradient", [0, 1])).toMatch(
      /^grad_input\[0, 1\] = 0\.01794 × \(1 \+ 2 × 0\.1 × 5\.021\) − 0 = 0\.03596: softmax times \(1 \+ 2 × lse_square_scale × logsumexp\) minus/,
    );
    const sparse = {
      target: [[0, 2, -100]],
      target_weight: [[0.9, 0.1, 7]],
      return_grad_target_weight: true,
    };
    expect(await explain(sparse, "losses", [0])).toBe(
      "loss[0] = −(0.9 × (−0.02058) + 0.1 × (−6.021)) = 0.6206: minus the sum of each class's target_weight times its log_softmax",
    );
    expect(await explain(sparse, "grad-target-weight", [0, 1])).toBe(
      "grad_target_weight[0, 1] = −(−6.021) = 6.021: minus the log_softmax of class 2",
    );
    expect(await explain(sparse, "grad-target-weight", [0, 2])).toBe(
      "grad_target_weight[0, 2] = 0: this class of the target is ignore_index",
    );
    expect(await explain({ return_predictions: true }, "predictions", [0])).toBe("predictions[0] = 0");
  });

  it("without a target where a shift leaves none", async () => {
    const input = [[5, 1], [1, 0.8], [-1, 3]]; // biome-ignore format: three rows
    const body = { input, target: [1, 0, 1], dim: -1, shift: 1, reduction: "sum", return_grad: true };
    const steps = stepsOf(resultsOf("cross_entropy", body));
    const [losses, , gradient] = steps.slice(-3) as [Step, Step, Step];
    expect(losses.slices.slices[0]!.rows.map(({ head }) => head)).toEqual(["row 0", "row 1"]);
    expect(losses.note).toContain(
      "The target of a row is that of the next row, so the last of them have none.",
    );
    expect(losses.explain([0])).toMatch(/: minus the log_softmax at class 0$/);
    expect(gradient.explain([2, 1])).toBe("grad_input[2, 1] = 0: shift leaves this row without a target");
  });

  it("of log_softmax not by arithmetic if its gradient comes from other results, too", async () => {
    const body = { input: [2, 1], dim: 0, return_grad: true, grad_output: [1, 0] };
    const results = resultsOf("log_softmax", body);
    const explained = (more: Body): string => {
      const request = { ...results.request, body: { ...body, ...more } };
      return stepsOf({ ...results, request })
        .at(-1)!
        .explain([0]);
    };
    expect(explained({ return_lse: true })).toMatch(/^grad_input\[0\] = 1 − 0\.7311 × 1 = 0\.2689: /);
    expect(explained({ return_lse: true, grad_lse: 1 })).toBe("grad_input[0] = 0.2689");
  });

  it("of log_softmax, for every dim", async () => {
    for (const shape of [[], [4], [2, 3], [2, 3, 2]]) {
      for (const dim of [null, ...shape.keys(), -1]) {
        let at = 0;
        const next = (): number => (at++ % 5) - 1.5;
        const body = { input: fill(shape, next), dim, return_grad: true, grad_output: fill(shape, next) };
        expectAllTrue(resultsOf("log_softmax", body));
      }
    }
  });
});

describe("tables", () => {
  it("show every tensor and number of a response, also of a name that the page does not know", async () => {
    const body = { input: [[2, 1]], target: [0], return_predictions: true, return_correct: true };
    const results = resultsOf("cross_entropy", body);
    const others = { ...results.others, lse: [2.5], new_result: [[[1, "NaN"]]] };
    const steps = stepsOf({ ...results, others }).slice(5);
    expect(steps.map(({ id, title }) => [id, title])).toEqual([
      ["predictions", "Predictions"],
      ["correct", "Correct predictions"],
      ["lse", "Logarithm of the sum of exponentials"],
      ["new-result", "Result: new_result"],
    ]);
    expect(steps[2]!.explain([0])).toBe("lse[0] = 2.5");
    expect(steps[3]!.explain([0, 0, 1])).toBe("new_result[0, 0, 1] = NaN");
  });

  it("mark what is picked: not an ignored target, and in the input of nll_loss", async () => {
    const marked = async (operation: Operation, body: Body, id: string): Promise<string[]> => {
      const steps = stepsOf(resultsOf(operation, { ...body, return_grad: true }));
      const step = steps.find((one) => one.id === id)!;
      const cells = step.slices.slices.flatMap(({ rows }) => rows.flatMap((row) => row.cells));
      return cells.filter(({ at }) => step.isPicked?.(at)).map(({ at }) => at.join());
    };
    const input = [
      [1, 2, 3],
      [3, 2, 1],
    ];
    const ignoring = { input, target: [2, 1], ignore_index: 1 };
    expect(await marked("cross_entropy", ignoring, "softmax")).toEqual(["0,2"]);
    expect(await marked("cross_entropy", ignoring, "gradient")).toEqual(["0,2"]);
    expect(await marked("nll_loss", { input, target: [2, 1] }, "input")).toEqual(["0,2", "1,1"]);
    const shifted = { input, target: [2, 1], dim: -1, shift: 1 };
    expect(await marked("cross_entropy", shifted, "softmax")).toEqual(["0,1"]);
    expect(await marked("nll_loss", { input, target: [1, 0, 1], dim: 0 }, "input")).toEqual([
      "0,1",
      "1,0",
      "1,2",
    ]);
    const sparse = { input, target: [[2, 0], [-100, 1]], target_weight: [[1, 0], [1, 0.5]] }; // biome-ignore format: two rows
    expect(await marked("cross_entropy", sparse, "gradient")).toEqual(["0,2", "1,1"]);
    expect(
      await marked(
        "cross_entropy",
        {
          input,
          target: [
            [0, 1, 0],
            [0.5, 0.5, 0],
          ],
        },
        "log",
      ),
    ).toEqual(["0,1", "1,0", "1,1"]);
  });
});
