/** Examples of inferences of every model in the OpenAPI document. A test sends each and compares the response. */
import type { LossName } from "../../loss/names.ts";
import type { Example } from "./examples/example.ts";

const input = { name: "input", shape: [1, 2], datatype: "FP32", data: [0, 0] };
const target = { name: "target", shape: [1], datatype: "INT64", data: [1] };

export const INFERENCE_EXAMPLES: Readonly<Record<LossName, Example>> = {
  log_softmax: {
    summary: "Log-probabilities of one row of logits",
    request: { inputs: [input], parameters: { dim: 1 } },
    response: {
      model_name: "log_softmax",
      model_version: "1",
      outputs: [{ name: "output", shape: [1, 2], datatype: "FP32", data: [-0.6931472, -0.6931472] }],
    },
  },
  nll_loss: {
    summary: "The loss of one row of log-probabilities",
    request: { inputs: [{ ...input, data: [-0.5, -1.5] }, target] },
    response: {
      model_name: "nll_loss",
      model_version: "1",
      outputs: [
        { name: "loss", shape: [], datatype: "FP32", data: [1.5] },
        { name: "total_weight", shape: [], datatype: "FP32", data: [1] },
      ],
    },
  },
  cross_entropy: {
    summary: "The loss of one row of logits, with its gradient",
    request: { id: "1", inputs: [input, target], parameters: { return_grad: true } },
    response: {
      model_name: "cross_entropy",
      model_version: "1",
      id: "1",
      outputs: [
        { name: "loss", shape: [], datatype: "FP32", data: [0.6931472] },
        { name: "total_weight", shape: [], datatype: "FP32", data: [1] },
        { name: "grad_input", shape: [1, 2], datatype: "FP32", data: [0.5, -0.5] },
      ],
    },
  },
  kl_div: {
    summary: "The divergence of one row of log-probabilities from even probabilities",
    request: {
      inputs: [
        { ...input, data: [-0.5, -1.5] },
        { ...input, name: "target", data: [0.5, 0.5] },
      ],
      parameters: { reduction: "batchmean" },
    },
    response: {
      model_name: "kl_div",
      model_version: "1",
      outputs: [{ name: "loss", shape: [], datatype: "FP32", data: [0.30685282] }],
    },
  },
};
