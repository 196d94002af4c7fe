/** The format of the case files (see README.md here), and how a case becomes a request. */
export type CaseNumber = number | "NaN" | "Infinity" | "-Infinity";

export interface CaseTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly CaseNumber[];
}

export interface Case {
  readonly id: string;
  readonly op: "log_softmax" | "nll_loss" | "cross_entropy" | "kl_div";
  readonly tags: readonly string[];
  readonly input: CaseTensor;
  readonly target?: CaseTensor;
  readonly weight?: CaseTensor;
  readonly sample_weight?: CaseTensor;
  readonly target_weight?: CaseTensor;
  readonly grad_output?: CaseTensor;
  readonly index?: CaseTensor;
  readonly grad_lse?: CaseTensor;
  readonly grad_entropy?: CaseTensor;
  readonly grad?: boolean;
  readonly grad_target?: boolean;
  readonly grad_target_weight?: boolean;
  readonly z_loss?: boolean;
  readonly predictions?: boolean;
  /** Results by name. `output` is output, losses or loss. */
  readonly expect?: Readonly<Record<string, CaseTensor>>;
  readonly expect_error?: boolean;
  readonly error?: { readonly type: string; readonly message: string };
  readonly tol?: { readonly rtol: number; readonly atol: number };
  readonly v2?: string;
}

export const TENSORS = [
  "input",
  "target",
  "weight",
  "sample_weight",
  "target_weight",
  "grad_output",
  "index",
  "grad_lse",
  "grad_entropy",
] as const;
const OPTIONS = [
  "dim",
  "dtype",
  "shift",
  "temperature",
  "softcap",
  "lse_square_scale",
  "ignore_index",
  "reduction",
  "label_smoothing",
  "size_average",
  "reduce",
  "log_target",
  "from_logits",
  "temperature",
  "top_k",
  "return_lse",
  "return_entropy",
] as const;

/** The tensors of a case. */
export function tensorsOf(test: Case): CaseTensor[] {
  return TENSORS.map((name) => test[name]).filter((tensor) => tensor !== undefined);
}

/** The request that asks the case's question, its tensors written by `write`. */
export function requestOf(test: Case, write: (tensor: CaseTensor) => unknown): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const name of OPTIONS) {
    const value = (test as unknown as Record<string, unknown>)[name];
    if (value !== undefined) body[name] = value;
  }
  for (const name of TENSORS) {
    const tensor = test[name];
    if (tensor !== undefined) body[name] = write(tensor);
  }
  if (test.grad) body.return_grad = true;
  if (test.grad_target) body.return_grad_target = true;
  if (test.grad_target_weight) body.return_grad_target_weight = true;
  if (test.z_loss) body.return_z_loss = true;
  if (test.predictions) body.return_predictions = true;
  if (test.expect?.correct !== undefined) body.return_correct = true;
  return body;
}

/** |got - want| <= atol + rtol * |want|; NaN matches NaN only, an infinity its own sign only. */
export function close(got: number, want: number, { rtol, atol }: { rtol: number; atol: number }): boolean {
  if (Number.isNaN(want)) return Number.isNaN(got);
  if (!Number.isFinite(want)) return got === want;
  return Math.abs(got - want) <= atol + rtol * Math.abs(want);
}
