/** Examples of POST /v1/kl_div. */
import type { Example } from "./example.ts";

export const KL_DIV_EXAMPLES: Readonly<Record<string, Example>> = {
  batchmean: {
    summary: "The mean divergence of the rows, and both gradients",
    request: {
      input: [
        [-0.5, -1.5, -2],
        [-1, -1, -1.25],
      ],
      target: [
        [0.5, 0.25, 0.25],
        [0.25, 0.5, 0.25],
      ],
      reduction: "batchmean",
      return_grad: true,
      return_grad_target: true,
    },
    response: {
      loss: 0.054029226,
      grad_input: [
        [-0.25, -0.125, -0.125],
        [-0.125, -0.25, -0.125],
      ],
      grad_target: [
        [0.4034264, 0.5568528, 0.8068528],
        [0.30685282, 0.6534264, 0.43185282],
      ],
    },
  },
  none: {
    summary: "One loss for each element, from log-probabilities on both sides",
    request: {
      input: { dtype: "float64", shape: [1, 2], data: [-0.5, -1] },
      target: { shape: [1, 2], data: [-1, -0.5] },
      log_target: true,
      reduction: "none",
    },
    response: {
      losses: { dtype: "float64", shape: [1, 2], data: [-0.18393972058572117, 0.3032653298563167] },
    },
  },
  logits: {
    summary: "Distillation: a student's logits, a teacher's logits, and a temperature",
    request: {
      input: [
        [1, 2, 3],
        [0, 0, 0],
      ],
      target: [
        [1, 1, 4],
        [0, 2, 0],
      ],
      from_logits: true,
      temperature: 2,
      reduction: "batchmean",
      return_grad: true,
    },
    response: {
      loss: 0.10157592,
      grad_input: [
        [0.008010734, 0.038228773, -0.04623951],
        [0.030347945, -0.060695883, 0.030347945],
      ],
    },
  },
  mean: {
    summary: "The mean over all elements, with PyTorch's warning that it is not the divergence",
    request: {
      input: [[-0.5, -1]],
      target: [[0, 1]],
    },
    response: {
      loss: 0.5,
      warnings: [
        "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the next major release.",
      ],
    },
  },
};
