/**
 * The closed table of refusals. `code` is the stable word that a client can switch on; the table says which status it
 * has, when it comes and how to mend it. This is the only place that chooses a refusal's status.
 */

/** A row of the table. */
export interface ProblemRow {
  readonly status: number;
  /** RFC 9457's title: the same for every occurrence. */
  readonly title: string;
  /** What the client can do about it. */
  readonly mend: string;
}

export const PROBLEMS = {
  malformed_request: {
    status: 400,
    title: "The request is not HTTP that this server reads",
    mend: "Check the request line, the headers and the framing (RFC 9112).",
  },
  malformed_json: {
    status: 400,
    title: "The body is not a JSON object",
    mend: "Send one JSON object (RFC 8259) in UTF-8 without a byte-order mark; `detail` gives the byte at which reading stopped.",
  },
  duplicate_key: {
    status: 400,
    title: "A key stands twice in one object",
    mend: "Send each field once.",
  },
  too_deep: {
    status: 400,
    title: "The body is nested too deeply",
    mend: "Nest tensors at most 8 levels deep and the body at most 32.",
  },
  number_too_long: {
    status: 400,
    title: "A number has too many characters",
    mend: "Write numbers with at most 1,000 characters; 17 significant digits give every double exactly.",
  },
  malformed_safetensors: {
    status: 400,
    title: "The body is not a safetensors file",
    mend: "Send 8 bytes of header length, a JSON header of that length and exactly the bytes of its tensors, as the safetensors library writes them.",
  },
  malformed_content_encoding: {
    status: 400,
    title: "The body is not what its Content-Encoding says",
    mend: "Compress the whole body once, with zstd in a window of at most 8 MiB (RFC 9659), and send nothing behind it.",
  },
  unauthorized: {
    status: 401,
    title: "The request has no valid token",
    mend: "Send Authorization: Bearer and one of the tokens of the server's TOKENS_FILE.",
  },
  not_found: {
    status: 404,
    title: "There is nothing at this path",
    mend: "GET /openapi.json lists every path.",
  },
  method_not_allowed: {
    status: 405,
    title: "The path does not take this method",
    mend: "Use a method that the Allow header lists.",
  },
  not_acceptable: {
    status: 406,
    title: "No format of the answer is acceptable",
    mend: "Accept application/json or application/vnd.safetensors.",
  },
  request_timeout: {
    status: 408,
    title: "The request did not arrive in time",
    mend: "Send the headers within the time limit, and the body without long pauses.",
  },
  length_required: {
    status: 411,
    title: "The request has no body",
    mend: "Send the body with Content-Length, or with chunked transfer encoding.",
  },
  body_too_large: {
    status: 413,
    title: "The body is larger than the limit",
    mend: "Send fewer rows a request; `total_weight` combines the means of parts. The operator moves the limit with the setting that `detail` names.",
  },
  options_too_long: {
    status: 413,
    title: "The body is too large outside its tensors",
    mend: "Field names, options and shapes may take 16 KiB together, a safetensors file's metadata 1,000 texts; put numbers into the tensors.",
  },
  output_too_large: {
    status: 422,
    title: "The outputs are out of proportion to the tensors",
    mend: "Send tensors with elements: outputs of a shape with a size of 0 may take 1 MiB, others 8 bytes for each byte of the tensors.",
  },
  safetensors_header_too_large: {
    status: 413,
    title: "The header of the safetensors file is larger than the limit",
    mend: "A header may take 1 MiB; send only the operation's tensors, and metadata elsewhere.",
  },
  unsupported_media_type: {
    status: 415,
    title: "The body has a type that this path does not read",
    mend: "Send Content-Type: application/json, or application/vnd.safetensors.",
  },
  unsupported_content_encoding: {
    status: 415,
    title: "The body is compressed in a way that is not read",
    mend: "Compress with gzip, deflate or zstd, which Accept-Encoding lists, or send the body without Content-Encoding.",
  },
  expectation_failed: {
    status: 417,
    title: "The expectation is not known",
    mend: "Send no Expect header, or Expect: 100-continue.",
  },
  invalid_request: {
    status: 422,
    title: "A field is missing, unknown or of the wrong type",
    mend: "Compare the request with the operation's schema in /openapi.json; `errors` points to the fields.",
  },
  unknown_query_parameter: {
    status: 422,
    title: "The query string has an option that would have no effect",
    mend: "Put the options of a JSON request into its body.",
  },
  ragged_tensor: {
    status: 422,
    title: "A nested tensor is ragged",
    mend: "Give every list of the same level the same length; `errors` points to the first odd element.",
  },
  invalid_element: {
    status: 422,
    title: "A tensor has an element that is not a number of its dtype",
    mend: 'Tensors hold numbers or "NaN", "Infinity", "-Infinity"; integer tensors hold integers in their dtype\'s range, up to 2^53 in JSON.',
  },
  invalid_base64: {
    status: 422,
    title: "A base64 text is malformed",
    mend: "Send standard base64 (RFC 4648, section 4) with padding and without line breaks.",
  },
  rank_too_high: {
    status: 422,
    title: "A tensor has too many dimensions",
    mend: "Send tensors of at most 8 dimensions.",
  },
  shape_data_mismatch: {
    status: 422,
    title: "A shape and its data do not fit",
    mend: "Make the product of the shape equal the number of elements.",
  },
  too_many_empty_lists: {
    status: 422,
    title: "A nested answer would hold too many empty lists",
    mend: "Ask for format flat or base64, or for safetensors: there an empty tensor is its shape alone.",
  },
  invalid_safetensors: {
    status: 422,
    title: "The safetensors header does not describe its tensors",
    mend: "Give each tensor dtype, shape and data_offsets alone, in integers; the offsets cover the data from 0 without holes and overlaps.",
  },
  invalid_reduction: {
    status: 422,
    title: "The reduction is not known",
    mend: 'Use "none", "mean" or "sum", in lower case.',
  },
  dim_out_of_range: {
    status: 422,
    title: "The dimension does not exist in the input",
    mend: "Use a dim from -rank to rank - 1.",
  },
  option_out_of_range: {
    status: 422,
    title: "An option is out of its range",
    mend: "See the option's range in the operation's schema.",
  },
  option_without_effect: {
    status: 422,
    title: "An option would have no effect",
    mend: "Leave it out, or ask for what it belongs to: grad_output belongs to return_grad.",
  },
  option_not_applicable: {
    status: 422,
    title: "An option does not apply to this kind of target",
    mend: "ignore_index belongs to class indices, return_grad_target to probabilities.",
  },
  dtype_not_supported: {
    status: 422,
    title: "The operation does not take this dtype here",
    mend: "Logits, probabilities and upstream gradients are float64, float32, float16 or bfloat16; class indices int64, int32 or uint8.",
  },
  dtype_mismatch: {
    status: 422,
    title: "Two tensors must have the same dtype",
    mend: "Give weight the input's dtype, or leave its dtype out.",
  },
  shape_mismatch: {
    status: 422,
    title: "The shapes do not fit together",
    mend: "For an input (N, C, d1..dK) the target is (N, d1..dK) class indices, the weight (C), and grad_output exactly the output's shape.",
  },
  target_out_of_bounds: {
    status: 422,
    title: "A target is not a class",
    mend: "Class indices go from 0 to C - 1; mark positions without a class with ignore_index.",
  },
  grad_output_required: {
    status: 422,
    title: "The upstream gradient is missing",
    mend: "Send grad_output with the output's shape, or use a reduction that gives one number.",
  },
  headers_too_large: {
    status: 431,
    title: "The headers are too large",
    mend: "Send at most 16 KiB of headers.",
  },
  internal_error: {
    status: 500,
    title: "The server failed",
    mend: "Report it with the request id; the cause is in the server's log.",
  },
  overloaded: {
    status: 503,
    title: "The server has no room for this request now",
    mend: "Try again after the seconds that Retry-After gives.",
  },
} as const satisfies Record<string, ProblemRow>;

/** A stable word for a kind of refusal. */
export type ProblemCode = keyof typeof PROBLEMS;

/** One place in the request that is wrong: an RFC 6901 pointer into the body, and what is wrong there. */
export interface ProblemError {
  readonly pointer: string;
  readonly detail: string;
}

interface ProblemMore {
  readonly errors?: readonly ProblemError[];
  readonly retryAfter?: number;
}

/** A refusal on its way to the client. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly errors: readonly ProblemError[];
  /** Seconds after which it makes sense to try again, where they are known. */
  readonly retryAfter: number | undefined;
  constructor(code: ProblemCode, detail: string, more: ProblemMore = {}) {
    super(detail);
    this.code = code;
    this.errors = more.errors ?? [];
    this.retryAfter = more.retryAfter;
  }
}

/** A refusal of one place in the request; its detail serves as the whole's. */
export function rejectAt(code: ProblemCode, pointer: string, detail: string): Problem {
  return new Problem(code, `${pointer}: ${detail}`, { errors: [{ pointer, detail }] });
}

/** A name as a step of a pointer (RFC 6901, section 3). */
export function pointerStep(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The most characters of a client's text that an answer repeats. */
export const ECHO = 64;

/** The beginning of a client's text, fit to stand in an answer: no half of a surrogate pair is left at its end. */
export function echo(text: string, most: number = ECHO): string {
  return text.length > most ? `${text.slice(0, most).toWellFormed()}...` : text.toWellFormed();
}
