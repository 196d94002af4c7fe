/** Examples of tensors and options that a loss rejects. */
import type { ErrorExample } from "./example.ts";

export const LOSS_ERRORS: readonly ErrorExample[] = [
  {
    path: "/v1/nll_loss",
    summary: "A reduction that PyTorch does not know",
    request: '{"input": [[0, 1]], "target": [0], "reduction": "avg"}',
    response: {
      type: "urn:lossd:problem:invalid_reduction",
      title: "The reduction does not exist",
      status: 422,
      detail: "/reduction: avg is not a valid value for reduction; expected none, mean or sum",
      code: "invalid_reduction",
      errors: [
        {
          pointer: "/reduction",
          detail: "avg is not a valid value for reduction; expected none, mean or sum",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/log_softmax",
    summary: "dim 2 of two dimensions",
    request: '{"input": [[0, 1]], "dim": 2}',
    response: {
      type: "urn:lossd:problem:dim_out_of_range",
      title: "The dimension does not exist in the input",
      status: 422,
      detail: "/dim: Dimension out of range (expected to be in range of [-2, 1], but got 2)",
      code: "dim_out_of_range",
      errors: [
        { pointer: "/dim", detail: "Dimension out of range (expected to be in range of [-2, 1], but got 2)" },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "Label smoothing over 1",
    request: '{"input": [[0, 1]], "target": [0], "label_smoothing": 1.5}',
    response: {
      type: "urn:lossd:problem:option_out_of_range",
      title: "An option is out of range",
      status: 422,
      detail: "/label_smoothing: label_smoothing must be between 0.0 and 1.0. Got: 1.5",
      code: "option_out_of_range",
      errors: [
        { pointer: "/label_smoothing", detail: "label_smoothing must be between 0.0 and 1.0. Got: 1.5" },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "An unused upstream gradient",
    request: '{"input": [[0, 1]], "target": [0], "grad_output": 1}',
    response: {
      type: "urn:lossd:problem:option_without_effect",
      title: "An option would have no effect",
      status: 422,
      detail: "/grad_output: grad_output has no effect without return_grad",
      code: "option_without_effect",
      errors: [{ pointer: "/grad_output", detail: "grad_output has no effect without return_grad" }],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "ignore_index with probabilities",
    request: '{"input": [[0, 1]], "target": [[0.5, 0.5]], "ignore_index": 0}',
    response: {
      type: "urn:lossd:problem:option_not_applicable",
      title: "An option does not apply to this kind of target",
      status: 422,
      detail: "/ignore_index: ignore_index is not supported for floating point target",
      code: "option_not_applicable",
      errors: [
        { pointer: "/ignore_index", detail: "ignore_index is not supported for floating point target" },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "Integer logits",
    request: '{"input": {"dtype": "int64", "shape": [1, 2], "data": [0, 1]}, "target": [0]}',
    response: {
      type: "urn:lossd:problem:dtype_not_supported",
      title: "The operation does not support this dtype here",
      status: 422,
      detail:
        "/input: \"log_softmax_lastdim_kernel_impl\" not implemented for 'Long': input must be float64, float32, float16 or bfloat16",
      code: "dtype_not_supported",
      errors: [
        {
          pointer: "/input",
          detail:
            "\"log_softmax_lastdim_kernel_impl\" not implemented for 'Long': input must be float64, float32, float16 or bfloat16",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "A float64 weight for float32 logits",
    request:
      '{"input": [[0, 1]], "target": [0], "weight": {"dtype": "float64", "shape": [2], "data": [1, 1]}}',
    response: {
      type: "urn:lossd:problem:dtype_mismatch",
      title: "Two tensors must have the same dtype",
      status: 422,
      detail:
        "/weight: expected scalar type Float but found Double: weight must have the dtype of the loss, float32, which is the input's unless dtype is set",
      code: "dtype_mismatch",
      errors: [
        {
          pointer: "/weight",
          detail:
            "expected scalar type Float but found Double: weight must have the dtype of the loss, float32, which is the input's unless dtype is set",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/nll_loss",
    summary: "One-hot rows instead of class indices",
    request: '{"input": [[0, 1], [2, 3]], "target": [[0, 1], [1, 0]]}',
    response: {
      type: "urn:lossd:problem:shape_mismatch",
      title: "The shapes do not match",
      status: 422,
      detail:
        "/target: 0D or 1D target tensor expected, multi-target not supported (got [2, 2]). The target holds class indices in [0, 1], one for each row, not one-hot rows or probabilities; cross_entropy takes those",
      code: "shape_mismatch",
      errors: [
        {
          pointer: "/target",
          detail:
            "0D or 1D target tensor expected, multi-target not supported (got [2, 2]). The target holds class indices in [0, 1], one for each row, not one-hot rows or probabilities; cross_entropy takes those",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/kl_div",
    summary: "A target that PyTorch would broadcast",
    request: '{"input": [[-0.5, -1.5], [-1, -1]], "target": [0.5, 0.5]}',
    response: {
      type: "urn:lossd:problem:shape_mismatch",
      title: "The shapes do not match",
      status: 422,
      detail:
        "/target: target must have the input's shape [2, 2], got [2]: PyTorch broadcasts the two, which is rejected here because it is most often a mistake",
      code: "shape_mismatch",
      errors: [
        {
          pointer: "/target",
          detail:
            "target must have the input's shape [2, 2], got [2]: PyTorch broadcasts the two, which is rejected here because it is most often a mistake",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "Class 2 of two",
    request: '{"input": [[0, 1], [2, 3]], "target": [0, 2]}',
    response: {
      type: "urn:lossd:problem:target_out_of_bounds",
      title: "A target is not a class",
      status: 422,
      detail: "/target/1: Target 2 is out of bounds. Expected a class index in [0, 1] or ignore_index (-100)",
      code: "target_out_of_bounds",
      errors: [
        {
          pointer: "/target/1",
          detail: "Target 2 is out of bounds. Expected a class index in [0, 1] or ignore_index (-100)",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "No upstream gradient for several losses",
    request: '{"input": [[0, 1], [2, 3]], "target": [0, 1], "reduction": "none", "return_grad": true}',
    response: {
      type: "urn:lossd:problem:grad_output_required",
      title: "The upstream gradient is missing",
      status: 422,
      detail:
        "/grad_output: grad can be implicitly created only for scalar outputs: send grad_output with shape [2]",
      code: "grad_output_required",
      errors: [
        {
          pointer: "/grad_output",
          detail: "grad can be implicitly created only for scalar outputs: send grad_output with shape [2]",
        },
      ],
      request_id: "example",
    },
  },
];
