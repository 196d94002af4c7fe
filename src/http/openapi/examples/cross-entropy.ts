/** Examples of POST /v1/cross_entropy. */
import type { Example } from "./example.ts";

export const CROSS_ENTROPY_EXAMPLES: Readonly<Record<string, Example>> = {
  language_model: {
    summary:
      "Logits of a language model, (batch, tokens, vocabulary), and its next-token targets, computed in float32",
    request: {
      input: { dtype: "bfloat16", shape: [1, 3, 2], base64: "AECAPwAAgD8AAAAA" },
      target: [[0, 1, 1]],
      dim: -1,
      shift: 1,
      dtype: "float32",
      reduction: "sum",
    },
    response: { loss: 1.6265235, total_weight: 2 },
  },
  sparse: {
    summary: "A teacher's two best classes for each row, with weights, the z-loss and the predictions",
    request: {
      input: [
        [1, 2, 3],
        [0, 0, 0],
      ],
      target: [
        [2, 1],
        [0, 1],
      ],
      target_weight: [
        [0.75, 0.25],
        [0.5, 0.5],
      ],
      sample_weight: [1, 3],
      lse_square_scale: 0.01,
      return_z_loss: true,
      return_predictions: true,
      return_grad_target_weight: true,
    },
    response: {
      loss: 1.0264423,
      total_weight: 4,
      z_loss: 0.038081564,
      predictions: [2, 0],
      grad_target_weight: [
        [0.101901494, 0.3519015],
        [0.82395923, 0.82395923],
      ],
    },
  },
  mean: {
    summary: "Logits and class indices",
    request: {
      input: [
        [2, 1, 0, -1, 0.5],
        [0.25, 0.5, -0.5, 1, -1],
        [1, 0.75, -0.25, 0, 2],
      ],
      target: [1, 0, 4],
    },
    response: { loss: 1.2848786, total_weight: 3 },
  },
  gradient: {
    summary: "With the gradient",
    request: {
      input: [
        [1, 2, 3],
        [0, 0, 0],
      ],
      target: [2, 0],
      return_grad: true,
    },
    response: {
      loss: 0.75310916,
      total_weight: 2,
      grad_input: [
        [0.045015287, 0.12236424, -0.16737953],
        [-0.33333334, 0.16666667, 0.16666667],
      ],
    },
  },
  probabilities: {
    summary: "Probabilities with label smoothing",
    request: {
      input: [
        [1, 2, 3],
        [0, 0, 0],
      ],
      target: [
        [0, 0, 1],
        [0.5, 0.25, 0.25],
      ],
      label_smoothing: 0.1,
      return_grad_target: true,
    },
    response: {
      loss: 0.80310917,
      grad_target: [
        [1.0834227, 0.6334227, 0.18342268],
        [0.49437553, 0.49437553, 0.49437553],
      ],
    },
  },
  allIgnored: {
    summary: "A mean over nothing is NaN, with a warning",
    request: {
      input: [
        [1, 2],
        [3, 4],
      ],
      target: [-100, -100],
    },
    response: {
      loss: "NaN",
      total_weight: 0,
      warnings: ["every target equals ignore_index, so the mean divides by 0, as in PyTorch"],
    },
  },
};
