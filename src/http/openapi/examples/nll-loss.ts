/** Examples of POST /v1/nll_loss. */
import type { Example } from "./example.ts";

export const NLL_LOSS_EXAMPLES: Readonly<Record<string, Example>> = {
  mean: {
    summary: "The mean of -input[target]",
    request: {
      input: [
        [-0.5, -1.5],
        [-2, -0.25],
      ],
      target: [0, 1],
    },
    response: { loss: 0.375, total_weight: 2 },
  },
  weighted: {
    summary: "Weights, an ignored target, and the gradient",
    request: {
      input: [
        [-0.5, -1.5],
        [-2, -0.25],
        [-1, -1],
      ],
      target: [0, 1, -100],
      weight: [0.25, 0.75],
      return_grad: true,
    },
    response: {
      loss: 0.3125,
      total_weight: 1,
      grad_input: [
        [-0.25, 0],
        [0, -0.75],
        [0, 0],
      ],
    },
  },
  none: {
    summary: "One loss for each pixel of an image",
    request: {
      input: { shape: [1, 2, 1, 2], data: [-0.5, -0.125, -1, -2] },
      target: [[[1, 0]]],
      reduction: "none",
    },
    response: { losses: { dtype: "float32", shape: [1, 1, 2], data: [1, 0.125] }, total_weight: 2 },
  },
};
