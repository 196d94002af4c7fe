/** Examples of POST /v1/log_softmax. */
import type { Example } from "./example.ts";

export const LOG_SOFTMAX_EXAMPLES: Readonly<Record<string, Example>> = {
  rows: {
    summary: "Every row is normalised; -Infinity stays",
    request: {
      input: [
        [0, 0],
        [1, "-Infinity"],
      ],
      dim: 1,
    },
    response: {
      output: [
        [-0.6931472, -0.6931472],
        [0, "-Infinity"],
      ],
    },
  },
  gradient: {
    summary: "With the gradient for an upstream gradient",
    request: {
      input: { dtype: "float64", shape: [2, 2], data: [1, 2, 3, 4] },
      dim: -1,
      return_grad: true,
      grad_output: { shape: [2, 2], data: [1, 0, 0, 1] },
    },
    response: {
      output: {
        dtype: "float64",
        shape: [2, 2],
        data: [-1.3132616875182228, -0.31326168751822286, -1.3132616875182228, -0.31326168751822286],
      },
      grad_input: {
        dtype: "float64",
        shape: [2, 2],
        data: [0.7310585786300049, -0.7310585786300049, -0.2689414213699951, 0.2689414213699951],
      },
    },
  },
  base64: {
    summary: "bfloat16 logits as bytes, along the first dimension",
    request: { input: { dtype: "bfloat16", shape: [2, 2], base64: "gD8AQEBAgEA=" }, dim: 0 },
    response: { output: { dtype: "bfloat16", shape: [2, 2], base64: "CMAIwAK+Ar4=" } },
  },
  topK: {
    summary: "The two largest of every row, with logsumexp and entropy",
    request: {
      input: [
        [2, 1, 0, -1, 0.5],
        [0.25, 0.5, -0.5, 1, -1],
      ],
      dim: 1,
      top_k: 2,
      return_lse: true,
      return_entropy: true,
    },
    response: {
      values: [
        [-0.5744379, -1.5744379],
        [-0.8909166, -1.3909166],
      ],
      indices: [
        [0, 1],
        [3, 1],
      ],
      lse: [2.5744379, 1.8909166],
      entropy: [1.2064892, 1.4090611],
    },
  },
  index: {
    summary: "The log-probability of one class of every row, with its gradient",
    request: {
      input: [
        [1, 2, 3],
        [0, 0, 0],
      ],
      dim: 1,
      index: [[2], [0]],
      return_grad: true,
      grad_output: [[1], [1]],
    },
    response: {
      values: [[-0.40760598], [-1.0986123]],
      grad_input: [
        [-0.09003057, -0.24472848, 0.33475906],
        [0.6666666, -0.33333334, -0.33333334],
      ],
    },
  },
};
