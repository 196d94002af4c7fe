/** Examples of every operation and error in the OpenAPI document. A test sends each and compares the response. */
import type { LossName } from "../../loss/names.ts";

export interface Example {
  readonly summary: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly response: Readonly<Record<string, unknown>>;
}

export const EXAMPLES: Readonly<Record<`/v1/${LossName}`, Readonly<Record<string, Example>>>> = {
  "/v1/log_softmax": {
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
  },
  "/v1/nll_loss": {
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
  },
  "/v1/cross_entropy": {
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
        loss: 0.7531091,
        total_weight: 2,
        grad_input: [
          [0.045015287, 0.12236424, -0.16737953],
          [-0.3333333, 0.16666667, 0.16666667],
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
  },
  "/v1/kl_div": {
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
  },
};

/** Example of a request or response in the document. */
export interface NamedExample {
  readonly summary: string;
  readonly value: unknown;
}

export interface ErrorExample {
  readonly path: string;
  readonly summary: string;
  /** Body as text, because some bodies are not JSON. */
  readonly request: string;
  readonly response: Readonly<Record<string, unknown>> & { readonly code: string; readonly status: number };
}

export const ERROR_EXAMPLES: readonly ErrorExample[] = [
  {
    path: "/v1/cross_entropy",
    summary: "A comma at the end",
    request: '{"input": [[0, 1],], "target": [0]}',
    response: {
      type: "urn:lossd:problem:malformed_json",
      title: "The body is not a JSON object",
      status: 400,
      detail: 'byte 18: expected a number, a list, a comma or a closing bracket, got "]"',
      code: "malformed_json",
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "The same field twice",
    request: '{"input": [[0, 1]], "target": [0], "target": [1]}',
    response: {
      type: "urn:lossd:problem:duplicate_key",
      title: "An object has a duplicate key",
      status: 400,
      detail: "/target: duplicate field",
      code: "duplicate_key",
      errors: [{ pointer: "/target", detail: "duplicate field" }],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "33 levels",
    request: `{"input": ${'{"a": '.repeat(33)}1${"}".repeat(33)}}`,
    response: {
      type: "urn:lossd:problem:too_deep",
      title: "The body is nested too deeply",
      status: 400,
      detail: "byte 196: expected at most 32 levels of brackets",
      code: "too_deep",
      request_id: "example",
    },
  },
  {
    path: "/v1/log_softmax",
    summary: "A number of 1,001 digits",
    request: `{"input": [${"1".repeat(1001)}]}`,
    response: {
      type: "urn:lossd:problem:number_too_long",
      title: "A number has too many characters",
      status: 400,
      detail: "byte 11: expected at most 1000 characters in a number",
      code: "number_too_long",
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "A misspelt option",
    request: '{"input": [[0, 1]], "target": [0], "label_smoothin": 0.1}',
    response: {
      type: "urn:lossd:problem:invalid_request",
      title: "A field is missing, unknown or of the wrong type",
      status: 422,
      detail: "/label_smoothin: unknown field; did you mean label_smoothing?",
      code: "invalid_request",
      errors: [{ pointer: "/label_smoothin", detail: "unknown field; did you mean label_smoothing?" }],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "A short row",
    request: '{"input": [[0, 1], [2]], "target": [0, 1]}',
    response: {
      type: "urn:lossd:problem:ragged_tensor",
      title: "A nested tensor is ragged",
      status: 422,
      detail: "/input/1: expected a list of the same length and depth as those beside it",
      code: "ragged_tensor",
      errors: [
        { pointer: "/input/1", detail: "expected a list of the same length and depth as those beside it" },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/nll_loss",
    summary: "A fraction as class index",
    request: '{"input": [[0, 1], [2, 3]], "target": [0, 0.5]}',
    response: {
      type: "urn:lossd:problem:invalid_element",
      title: "A tensor has an element that is not a number of its dtype",
      status: 422,
      detail: "/target/1: expected an integer that int64 holds, up to 2^53",
      code: "invalid_element",
      errors: [{ pointer: "/target/1", detail: "expected an integer that int64 holds, up to 2^53" }],
      request_id: "example",
    },
  },
  {
    path: "/v1/log_softmax",
    summary: "base64 without padding",
    request: '{"input": {"shape": [1], "base64": "AAAAAA"}}',
    response: {
      type: "urn:lossd:problem:invalid_base64",
      title: "A base64 string is malformed",
      status: 422,
      detail: "/input/base64: expected padded base64, which ends at byte 42 of the body",
      code: "invalid_base64",
      errors: [
        { pointer: "/input/base64", detail: "expected padded base64, which ends at byte 42 of the body" },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/log_softmax",
    summary: "Nine dimensions",
    request: '{"input": [[[[[[[[[1]]]]]]]]]}',
    response: {
      type: "urn:lossd:problem:rank_too_high",
      title: "A tensor has too many dimensions",
      status: 422,
      detail: "/input: expected at most 8 dimensions",
      code: "rank_too_high",
      errors: [{ pointer: "/input", detail: "expected at most 8 dimensions" }],
      request_id: "example",
    },
  },
  {
    path: "/v1/cross_entropy",
    summary: "Losses without any input element",
    request:
      '{"reduction": "none", "input": {"shape": [1, 0, 1000000], "data": []}, "target": {"shape": [1, 0, 1000000], "data": []}}',
    response: {
      type: "urn:lossd:problem:output_too_large",
      title: "The outputs are too large for the tensors",
      status: 422,
      detail: "the outputs (losses) take 4000576 bytes for 0 bytes of tensors, expected at most 65536",
      code: "output_too_large",
      request_id: "example",
    },
  },
  {
    path: "/v1/log_softmax",
    summary: "Nested output of a million empty lists",
    request: '{"input": {"shape": [1000000, 0], "data": []}, "dim": 1, "format": "nested"}',
    response: {
      type: "urn:lossd:problem:too_many_empty_lists",
      title: "A nested response would hold too many empty lists",
      status: 422,
      detail:
        "/format: the empty lists of output take 3000001 bytes for 0 bytes of tensors, expected at most 65536, or format flat or base64",
      code: "too_many_empty_lists",
      errors: [
        {
          pointer: "/format",
          detail:
            "the empty lists of output take 3000001 bytes for 0 bytes of tensors, expected at most 65536, or format flat or base64",
        },
      ],
      request_id: "example",
    },
  },
  {
    path: "/v1/log_softmax",
    summary: "Three elements for a shape of four",
    request: '{"input": {"shape": [2, 2], "data": [1, 2, 3]}}',
    response: {
      type: "urn:lossd:problem:shape_data_mismatch",
      title: "A shape does not match its data",
      status: 422,
      detail: "/input/shape: shape [2, 2] needs 4 elements, got 3",
      code: "shape_data_mismatch",
      errors: [{ pointer: "/input/shape", detail: "shape [2, 2] needs 4 elements, got 3" }],
      request_id: "example",
    },
  },
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
        "/weight: expected scalar type Float but found Double: weight must have the input's dtype, float32",
      code: "dtype_mismatch",
      errors: [
        {
          pointer: "/weight",
          detail: "expected scalar type Float but found Double: weight must have the input's dtype, float32",
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
