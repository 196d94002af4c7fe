/** Results that differ from PyTorch's on purpose, as docs/from-pytorch.md lists them, and gradients that autograd gives without that of the input. */
import { expect, it } from "vitest";
import { useService } from "../../support/service.ts";

const service = useService();
const CE = "/v1/cross_entropy";

it.each([
  ["an infinite weight", { input: [[0, -20]], target: [0], weight: ["Infinity", 1] }],
  ["an infinite probability", { input: [[0, -20]], target: [["Infinity", 0]] }],
])("a log-probability near 0 times %s is infinite", async (_factor, body) => {
  const { json } = await service().post(CE, { ...body, reduction: "sum" });
  expect(json.loss).toBe("Infinity");
});

it("a log-probability near 0 times an infinite upstream gradient is infinite", async () => {
  const body = { input: [[0, -20]], target: [[1, 0]], reduction: "none", grad_output: ["Infinity"] };
  const { json } = await service().post(CE, { ...body, return_grad_target: true });
  expect(json.grad_target).toEqual([["Infinity", "Infinity"]]);
});

it.each([
  [-108, "-Infinity"],
  [-110, "NaN"],
])("a probability of e^%d times an infinite upstream gradient is %s", async (logit, grad) => {
  const body = { input: [[0, logit]], dim: 1, grad_output: [["Infinity", 0]], return_grad: true };
  const { json } = await service().post("/v1/log_softmax", body);
  expect(json.grad_input).toEqual([["NaN", grad]]);
});

it("the gradient of logsumexp is the softmax also for large logits", async () => {
  const body = { input: [[1e8, 1e8]], dim: 1, return_lse: true, grad_lse: [1], return_grad: true };
  const { json } = await service().post("/v1/log_softmax", body);
  expect(json.grad_input).toEqual([[0.5, 0.5]]);
});

it("the gradient of the z-loss is too", async () => {
  const body = { input: [[1e8, 1e8]], target: [0], lse_square_scale: 1e-8, return_grad: true };
  const { json } = await service().post(CE, body);
  expect(json.grad_input).toEqual([[0.5, 1.5]]);
});

it.each([
  ["a logit of -Infinity", { input: [[0, "-Infinity"]] }, 0],
  ["a weight of Infinity", { input: [[0, 1]], weight: [1, "Infinity"] }, 1.3132617],
])("%s has no effect on a sparse target that does not list its class", async (_number, body, loss) => {
  const { json } = await service().post(CE, { ...body, target: [[0]], target_weight: [[1]] });
  expect(json.loss).toBeCloseTo(loss, 6);
});

it("integer logits that dtype casts have gradients of the target, but not of themselves", async () => {
  const input = { dtype: "int32", shape: [1, 2], data: [1, 2] };
  const target = { dtype: "float32", shape: [1, 2], data: [0.5, 0.5] };
  const body = { input, dtype: "float32", target, return_grad_target: true };
  const { json } = await service().post(CE, body);
  expect([json.loss, ...json.grad_target.data].map((value) => value.toFixed(5))).toEqual([
    "0.81326",
    "1.31326",
    "0.31326",
  ]);
  const refused = await service().post(CE, { ...body, return_grad: true });
  expect(refused.json.detail).toMatch("only Tensors of floating point dtype can require gradients");
  const sparse = { input, dtype: "float32", target: [[1]], target_weight: [[1]] };
  const weighted = await service().post(CE, { ...sparse, return_grad_target_weight: true });
  expect(weighted.json.grad_target_weight.data[0]).toBeCloseTo(0.31326, 5);
});
