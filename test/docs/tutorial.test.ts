/** The steps of the tutorial that lossd grew from: a learner's examples, over HTTP. */
import { expect, it } from "vitest";
import { elementsOf } from "../conformance/forms.ts";
import { useService } from "../support/service.ts";

const service = useService();

async function ask(op: string, body: unknown) {
  const answer = await service().post(`/v1/${op}`, body);
  expect(answer.status, answer.text).toBe(200);
  return answer.json;
}

/** Repeatable numbers that look random, from -2 to 2. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => Math.fround(2 * Math.sin(at * at + 1)));
}

const rows = (flat: number[], width: number) =>
  Array.from({ length: flat.length / width }, (_, at) => flat.slice(at * width, (at + 1) * width));

const input = rows(numbers(15), 5);
const target = [1, 0, 4];

it("LogSoftmax(dim=1): the exponentials of every row add up to 1", async () => {
  const { output } = await ask("log_softmax", { input, dim: 1 });
  for (const row of output as number[][]) {
    expect(row.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 6);
    expect(Math.max(...row)).toBeLessThanOrEqual(0);
  }
});

it("LogSoftmax() of a 2 x 3 input: dim 1 by the legacy rule, with a warning", async () => {
  const two = rows(numbers(6), 3);
  const implicit = await ask("log_softmax", { input: two });
  const explicit = await ask("log_softmax", { input: two, dim: 1 });
  expect(implicit.output).toEqual(explicit.output);
  expect(implicit.warnings[0]).toContain("Implicit dimension choice for log_softmax has been deprecated");
});

it("LogSoftmax(dim=1), then NLLLoss on 3 x 5 with target [1, 0, 4], then backward: the picked entries, negated, averaged", async () => {
  const { output } = await ask("log_softmax", { input, dim: 1 });
  const { loss, grad_input } = await ask("nll_loss", { input: output, target, return_grad: true });
  expect(loss).toBeCloseTo(-(output[0][1] + output[1][0] + output[2][4]) / 3, 6);
  const third = Math.fround(-1 / 3);
  expect(grad_input.map((row: number[]) => row.map(Math.fround))).toEqual([
    [0, third, 0, 0, 0],
    [third, 0, 0, 0, 0],
    [0, 0, 0, 0, third],
  ]);
});

it("NLLLoss on feature maps (5, 4, 8, 8) with a target (5, 8, 8), then backward", async () => {
  const images = { shape: [5, 4, 8, 8], data: numbers(5 * 4 * 64) };
  const classes = Array.from({ length: 5 * 64 }, (_, at) => (at * 7) % 4);
  const { output } = await ask("log_softmax", { input: images, dim: 1 });
  const { loss, grad_input } = await ask("nll_loss", {
    input: output,
    target: { shape: [5, 8, 8], data: classes },
    return_grad: true,
  });
  const picked = classes.map(
    (index, at) => output.data[(Math.floor(at / 64) * 4 + index) * 64 + (at % 64)] as number,
  );
  expect(loss).toBeCloseTo(-picked.reduce((sum, value) => sum + value, 0) / picked.length, 5);
  expect(grad_input.shape).toEqual([5, 4, 8, 8]);
  const nonZero = elementsOf(grad_input).data.filter((value) => value !== 0);
  expect(nonZero.length).toBe(320);
  expect(new Set(nonZero)).toEqual(new Set([Number(String(Math.fround(-1 / 320).toPrecision(7)))]));
});

it("prints the same number three ways: NLLLoss(LogSoftmax), CrossEntropyLoss, and the one-hot sum over N", async () => {
  const logits = [
    [2, 1, 0, -1, 0.5],
    [0.25, 0.5, -0.5, 1, -1],
    [1, 0.75, -0.25, 0, 2],
  ];
  const { output } = await ask("log_softmax", { input: logits, dim: 1 });
  const nll = await ask("nll_loss", { input: output, target });
  const direct = await ask("cross_entropy", { input: logits, target });
  const onehot = target.map((index) => [0, 1, 2, 3, 4].map((at) => Number(at === index)));
  const rowsOf = await ask("cross_entropy", { input: logits, target: onehot });
  expect(direct.loss).toBe(nll.loss);
  expect(rowsOf.loss).toBe(nll.loss);
});

it("the best possible loss is exactly 0, and 2 exp(-100), a subnormal float32, is told from it", async () => {
  expect((await ask("cross_entropy", { input: [[200, 0, 0]], target: [0] })).loss).toBe(0);
  expect((await ask("cross_entropy", { input: [[100, 0, 0]], target: [0] })).loss).toBe(7.4e-44);
});

it("says in plain words that NLLLoss takes indices, not one-hot rows", async () => {
  const answer = await service().post("/v1/nll_loss", { input, target: input.map(() => [0, 1, 0, 0, 0]) });
  expect(answer.status).toBe(422);
  expect(answer.json.detail).toContain("class indices in [0, 4], one for each row, not one-hot rows");
});

it.each([
  [[1, 2, 3], [0], "such as 0, not [0]"],
  [
    [
      [1, 2, 3],
      [0, 0, 0],
    ],
    [[0], [1]],
    "not a column, [[0], [1]]",
  ],
  [
    [
      [
        [1, 2, 3],
        [0, 0, 0],
      ],
    ],
    [[0, 1]],
    "set dim to -1 for (batch, tokens, classes)",
  ],
])("says what was meant by the shapes of %j and %j", async (input, target, text) => {
  for (const op of ["nll_loss", "cross_entropy"]) {
    const { status, json } = await service().post(`/v1/${op}`, { input, target });
    expect([status, json.code]).toEqual([422, "shape_mismatch"]);
    expect(json.detail).toContain(text);
  }
});
