/** The closed table of errors: the stable `code` on which clients switch, with its status, title and remedy. Only this table chooses an error's status. */

/** Row of the table. */
export interface ProblemRow {
  readonly status: number;
  /** RFC 9457's title, the same for every occurrence. */
  readonly title: string;
  /** Tells the client how to correct the request. */
  readonly remedy: string;
}

export const PROBLEMS = {
  malformed_request: {
    status: 400,
    title: "The request is not valid HTTP",
    remedy: "Check the request line, the headers and the framing (RFC 9112).",
  },
  malformed_json: {
    status: 400,
    title: "The body is not a JSON object",
    remedy:
      "Send one JSON object (RFC 8259) in UTF-8 without a byte-order mark. `detail` gives the byte at which the parser stopped.",
  },
  duplicate_key: {
    status: 400,
    title: "An object has a duplicate key",
    remedy: "Send each field once.",
  },
  too_deep: {
    status: 400,
    title: "The body is nested too deeply",
    remedy: "Nest tensors at most 8 levels deep and the body at most 32.",
  },
  number_too_long: {
    status: 400,
    title: "A number has too many characters",
    remedy:
      "Write numbers with at most 1,000 characters, because 17 significant digits give every double exactly.",
  },
  malformed_safetensors: {
    status: 400,
    title: "The body is not a safetensors file",
    remedy:
      "Send 8 bytes of header length, a JSON header of that length and exactly the bytes of its tensors, as the safetensors library writes them.",
  },
  malformed_content_encoding: {
    status: 400,
    title: "The body does not match its Content-Encoding",
    remedy:
      "Compress the whole body once, with zstd in a window of at most 8 MiB (RFC 9659), and send nothing after it.",
  },
  unauthorized: {
    status: 401,
    title: "The request has no valid token",
    remedy: "Send Authorization: Bearer with a token from the server's TOKENS_FILE.",
  },
  not_found: {
    status: 404,
    title: "The path does not exist",
    remedy: "GET /openapi.json lists every path.",
  },
  method_not_allowed: {
    status: 405,
    title: "The path does not support this method",
    remedy: "Use a method that the Allow header lists.",
  },
  not_acceptable: {
    status: 406,
    title: "No response format is acceptable",
    remedy: "Accept application/json or application/vnd.safetensors.",
  },
  request_timeout: {
    status: 408,
    title: "The request did not arrive in time",
    remedy: "Send the headers within the time limit, and the body without long pauses.",
  },
  length_required: {
    status: 411,
    title: "The request has no body",
    remedy: "Send the body with Content-Length, or with chunked transfer encoding.",
  },
  body_too_large: {
    status: 413,
    title: "The body is larger than the limit",
    remedy:
      "Send fewer rows per request; `total_weight` combines the means of parts. The operator can raise the limit with the setting that `detail` names.",
  },
  options_too_long: {
    status: 413,
    title: "The body is too large outside its tensors",
    remedy:
      "Keep field names, options and shapes below 16 KiB together, and a safetensors file's metadata to 1,000 strings. Put numbers into the tensors.",
  },
  safetensors_header_too_large: {
    status: 413,
    title: "The header of the safetensors file is larger than the limit",
    remedy: "Send a header of at most 1 MiB with only the operation's tensors, and keep metadata elsewhere.",
  },
  unsupported_media_type: {
    status: 415,
    title: "The path does not support this media type",
    remedy: "Send Content-Type: application/json, or application/vnd.safetensors.",
  },
  unsupported_content_encoding: {
    status: 415,
    title: "The Content-Encoding is not supported",
    remedy:
      "Compress with gzip, deflate or zstd, which Accept-Encoding lists, or send the body without Content-Encoding.",
  },
  expectation_failed: {
    status: 417,
    title: "The expectation is not supported",
    remedy: "Send no Expect header, or Expect: 100-continue.",
  },
  output_too_large: {
    status: 422,
    title: "The outputs are too large for the tensors",
    remedy:
      "Send logits with elements. Without them, outputs may take 64 KiB and 8 bytes for each byte of the tensors.",
  },
  invalid_request: {
    status: 422,
    title: "A field is missing, unknown or of the wrong type",
    remedy:
      "Compare the request with the operation's schema in /openapi.json. `errors` points to the fields.",
  },
  unknown_query_parameter: {
    status: 422,
    title: "The query string has an option that would have no effect",
    remedy: "Put the options of a JSON request into its body.",
  },
  ragged_tensor: {
    status: 422,
    title: "A nested tensor is ragged",
    remedy: "Give all lists of a level the same length. `errors` points to the first odd element.",
  },
  invalid_element: {
    status: 422,
    title: "A tensor has an element that is not a number of its dtype",
    remedy:
      'Send numbers or "NaN", "Infinity", "-Infinity". Integer tensors hold integers in the range of their dtype, up to 2^53 in JSON.',
  },
  invalid_base64: {
    status: 422,
    title: "A base64 string is malformed",
    remedy: "Send standard base64 (RFC 4648, section 4) with padding and without line breaks.",
  },
  rank_too_high: {
    status: 422,
    title: "A tensor has too many dimensions",
    remedy: "Send tensors of at most 8 dimensions.",
  },
  shape_data_mismatch: {
    status: 422,
    title: "A shape does not match its data",
    remedy: "Make the product of the shape equal the number of elements.",
  },
  too_many_empty_lists: {
    status: 422,
    title: "A nested response would hold too many empty lists",
    remedy:
      "Request format flat or base64, or safetensors, because there an empty tensor is only its shape. As nested lists, empty tensors may take 64 KiB and 8 bytes for each byte of the tensors.",
  },
  invalid_safetensors: {
    status: 422,
    title: "The safetensors header does not describe its tensors",
    remedy:
      "Give each tensor only dtype, shape and data_offsets, in integers. The offsets cover the data from 0 without gaps or overlaps.",
  },
  invalid_reduction: {
    status: 422,
    title: "The reduction does not exist",
    remedy: 'Use "none", "mean" or "sum", or "batchmean" of kl_div, in lower case.',
  },
  dim_out_of_range: {
    status: 422,
    title: "The dimension does not exist in the input",
    remedy: "Use a dim from -rank to rank - 1.",
  },
  option_out_of_range: {
    status: 422,
    title: "An option is out of range",
    remedy: "Check the option's range in the operation's schema.",
  },
  option_without_effect: {
    status: 422,
    title: "An option would have no effect",
    remedy:
      "Leave the option out, or request the output to which it belongs: grad_output belongs to return_grad, and kl_div's dim and temperature to from_logits.",
  },
  option_not_applicable: {
    status: 422,
    title: "An option does not apply to this kind of target",
    remedy:
      "Use ignore_index, label_smoothing, shift and return_correct with one class index for each position, and return_grad_target with probabilities.",
  },
  dtype_not_supported: {
    status: 422,
    title: "The operation does not support this dtype here",
    remedy:
      "Send logits, probabilities and upstream gradients as float64, float32, float16 or bfloat16, and class indices as int64, int32 or uint8.",
  },
  dtype_mismatch: {
    status: 422,
    title: "Two tensors must have the same dtype",
    remedy: "Give weight the dtype of the loss (the option dtype, or else the input's), or omit its dtype.",
  },
  shape_mismatch: {
    status: 422,
    title: "The shapes do not match",
    remedy:
      "For an input (N, C, d1..dK), send a target of (N, d1..dK) class indices, a weight of (C), and a grad_output of exactly the output's shape. Both tensors of kl_div have the same shape.",
  },
  target_out_of_bounds: {
    status: 422,
    title: "A target is not a class",
    remedy: "Use class indices from 0 to C - 1, and ignore_index for positions without a class.",
  },
  grad_output_required: {
    status: 422,
    title: "The upstream gradient is missing",
    remedy: "Send grad_output with the output's shape, or use a reduction that gives one number.",
  },
  headers_too_large: {
    status: 431,
    title: "The headers are too large",
    remedy: "Send at most 16 KiB of headers.",
  },
  internal_error: {
    status: 500,
    title: "The server failed",
    remedy: "Report the request id, because the server's log has the cause.",
  },
  overloaded: {
    status: 503,
    title: "The server is overloaded",
    remedy: "Retry after the seconds in Retry-After.",
  },
} as const satisfies Record<string, ProblemRow>;

/** Stable code of an error. */
export type ProblemCode = keyof typeof PROBLEMS;

/** Invalid element of a request: an RFC 6901 pointer into the body, and its error message. */
export interface ProblemError {
  readonly pointer: string;
  readonly detail: string;
}

interface ProblemMore {
  readonly errors?: readonly ProblemError[];
  readonly retryAfter?: number;
}

/** Error that becomes a response. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly errors: readonly ProblemError[];
  /** Delay in seconds before a retry, if known. */
  readonly retryAfter: number | undefined;
  constructor(code: ProblemCode, detail: string, more: ProblemMore = {}) {
    super(detail);
    this.code = code;
    this.errors = more.errors ?? [];
    this.retryAfter = more.retryAfter;
  }
}

/** Creates an error with a single invalid element, whose detail becomes the error's. */
export function rejectAt(code: ProblemCode, pointer: string, detail: string): Problem {
  return new Problem(code, `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}

/** Escapes a name for a pointer (RFC 6901, section 3). */
export function pointerStep(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** Longest excerpt of a client's text in a response, in characters. */
export const MAX_EXCERPT_CHARS = 64;

/** Truncates a client's text for a response, without splitting a surrogate pair. */
export function excerpt(text: string, most: number = MAX_EXCERPT_CHARS): string {
  return text.length > most ? `${text.slice(0, most).toWellFormed()}...` : text.toWellFormed();
}
