/** The fields of a request as a table. The form draws a control for each option, and reads and sends each field. */
import { exactNumber } from "../tensors/tensor-text.ts";
import type { Operation } from "./request.ts";

/** Parts of the form. The operands have controls in the HTML, the others are drawn from the table. */
export type Group = "operands" | "basic" | "more" | "deprecated";

export interface Field {
  /** Name in the API, and id of the control. */
  readonly name: string;
  readonly group: Group;
  /** Operations that accept the field, all by default. */
  readonly operations?: readonly Operation[];
  /** A `tensor` and a `number` are typed. A `choice` is one of a list, a `flag` is off if it is not checked. */
  readonly kind: "tensor" | "number" | "choice" | "flag";
  /** Words in the empty control of a tensor or number, and the first entry of a choice, all for the default. */
  readonly absent?: string;
  /** Entries of a choice. */
  readonly choices?: readonly (string | boolean)[];
  /** Range of a number. */
  readonly range?: { readonly min?: number; readonly max?: number; readonly step?: number };
  /** A sentence below the control. */
  readonly hint?: string;
}

const LOSSES: readonly Operation[] = ["cross_entropy", "nll_loss"];
const KL_DIV: readonly Operation[] = ["kl_div"];
const TARGETED: readonly Operation[] = [...LOSSES, ...KL_DIV];
const CROSS_ENTROPY: readonly Operation[] = ["cross_entropy"];
const LOG_SOFTMAX: readonly Operation[] = ["log_softmax"];
/** Operations on logits. */
const LOGITS: readonly Operation[] = [...CROSS_ENTROPY, ...LOG_SOFTMAX];

/** All fields, in the order of the form and of the body that is sent. */
export const FIELDS: readonly Field[] = [
  { name: "input", group: "operands", kind: "tensor" },
  { name: "target", group: "operands", kind: "tensor", operations: TARGETED },

  { name: "dim", group: "basic", kind: "number", range: { step: 1 }, absent: "PyTorch's rule" },
  {
    name: "reduction",
    group: "basic",
    kind: "choice",
    operations: TARGETED,
    absent: "mean (default)",
    choices: ["none", "mean", "sum", "elementwise_mean", "batchmean"],
  },
  { name: "weight", group: "basic", kind: "tensor", operations: LOSSES, absent: "one for each class" },
  {
    name: "ignore_index",
    group: "basic",
    kind: "number",
    operations: LOSSES,
    range: { step: 1 },
    absent: "-100",
  },
  {
    name: "label_smoothing",
    group: "basic",
    kind: "number",
    operations: CROSS_ENTROPY,
    range: { max: 1 },
    absent: "0",
  },
  { name: "log_target", group: "basic", kind: "flag", operations: KL_DIV },
  { name: "from_logits", group: "basic", kind: "flag", operations: KL_DIV },
  { name: "return_grad", group: "basic", kind: "flag" },

  {
    name: "dtype",
    group: "more",
    kind: "choice",
    operations: [...LOSSES, ...LOG_SOFTMAX],
    absent: "float32 (as it is)",
    choices: ["float64", "float32", "float16", "bfloat16"],
    hint: "Rounds the scores to this dtype first.",
  },
  {
    name: "shift",
    group: "more",
    kind: "number",
    operations: LOSSES,
    range: { min: 0, step: 1 },
    absent: "0",
    hint: "1 for next-token targets, with dim −1.",
  },
  {
    name: "temperature",
    group: "more",
    kind: "number",
    operations: [...LOGITS, ...KL_DIV],
    absent: "1",
    hint: "Divides the scores.",
  },
  {
    name: "softcap",
    group: "more",
    kind: "number",
    operations: LOGITS,
    absent: "none",
    hint: "Bounds the scores.",
  },
  {
    name: "sample_weight",
    group: "more",
    kind: "tensor",
    operations: LOSSES,
    absent: "one for each row",
    hint: "Counts some rows more than others.",
  },
  {
    name: "target_weight",
    group: "more",
    kind: "tensor",
    operations: CROSS_ENTROPY,
    absent: "in the target's shape",
    hint: "Lets the target have several classes for each row, with a weight each.",
  },
  {
    name: "lse_square_scale",
    group: "more",
    kind: "number",
    operations: CROSS_ENTROPY,
    range: { min: 0 },
    absent: "0",
    hint: "Scale of the z-loss, which is added to each loss.",
  },
  {
    name: "index",
    group: "more",
    kind: "tensor",
    operations: LOG_SOFTMAX,
    absent: "in the scores' shape but for dim",
    hint: "Returns the log-probabilities of these classes only.",
  },
  {
    name: "top_k",
    group: "more",
    kind: "number",
    operations: LOG_SOFTMAX,
    range: { min: 1, step: 1 },
    absent: "all",
    hint: "Returns the largest log-probabilities only.",
  },
  {
    name: "grad_output",
    group: "more",
    kind: "tensor",
    absent: "1 for one number",
    hint: "The gradient to go back from, in the shape of the result.",
  },
  {
    name: "grad_lse",
    group: "more",
    kind: "tensor",
    operations: LOG_SOFTMAX,
    absent: "0",
    hint: "The gradient to go back from for lse.",
  },
  {
    name: "grad_entropy",
    group: "more",
    kind: "tensor",
    operations: LOG_SOFTMAX,
    absent: "0",
    hint: "The gradient to go back from for entropy.",
  },
  { name: "return_lse", group: "more", kind: "flag", operations: LOG_SOFTMAX },
  { name: "return_entropy", group: "more", kind: "flag", operations: LOG_SOFTMAX },
  { name: "return_z_loss", group: "more", kind: "flag", operations: CROSS_ENTROPY },
  { name: "return_predictions", group: "more", kind: "flag", operations: CROSS_ENTROPY },
  { name: "return_correct", group: "more", kind: "flag", operations: CROSS_ENTROPY },
  { name: "return_grad_target", group: "more", kind: "flag", operations: [...CROSS_ENTROPY, ...KL_DIV] },
  { name: "return_grad_target_weight", group: "more", kind: "flag", operations: CROSS_ENTROPY },
  {
    name: "format",
    group: "more",
    kind: "choice",
    absent: "nested (default)",
    choices: ["nested", "flat", "base64"],
  },
  {
    name: "non_finite",
    group: "more",
    kind: "choice",
    absent: "string (default)",
    choices: ["string", "null"],
  },

  {
    name: "size_average",
    group: "deprecated",
    kind: "choice",
    operations: TARGETED,
    absent: "left out",
    choices: [true, false],
  },
  {
    name: "reduce",
    group: "deprecated",
    kind: "choice",
    operations: TARGETED,
    absent: "left out",
    choices: [true, false],
  },
];

/** Reads a number. Integer options keep all digits, because the server refuses an integer above 2^53 instead of rounding it. */
export function readNumber(name: string, text: string): number | bigint {
  return integerField(name) === undefined ? Number(text) : exactNumber(text);
}

/** Returns the field of an integer option. */
export function integerField(name: string): Field | undefined {
  return FIELDS.find((field) => field.name === name && field.range?.step === 1);
}

/** Returns the fields that an operation accepts. */
export function fieldsOf(operation: Operation): Field[] {
  return FIELDS.filter(({ operations }) => operations?.includes(operation) ?? true);
}
