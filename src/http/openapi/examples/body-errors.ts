/** Examples of bodies that cannot become tensors and options. */
import type { ErrorExample } from "./example.ts";

export const BODY_ERRORS: readonly ErrorExample[] = [
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
      detail: "the outputs (losses) take 4000608 bytes for 0 bytes of tensors, expected at most 65536",
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
];
