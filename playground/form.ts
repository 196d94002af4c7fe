/** Reads a request from the form, and shows errors at its controls. Each API field has a control with its name as id. */
import type { Problem } from "./api.ts";
import { announce, byId } from "./dom.ts";
import type { Example } from "./examples.ts";
import type { LossRequest, Operation } from "./request.ts";
import { reductionOf } from "./request.ts";
import type { Indices, Nested } from "./slices.ts";
import { exactNumber, formatTensor, parseTensor, TextError } from "./tensor-text.ts";

/** Thrown for a control whose text is not valid. */
export class FieldError extends Error {
  override readonly name = "FieldError";
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** Operations that accept a field. All operations accept a field that is not listed. */
const OPERATIONS_OF: Readonly<Record<string, readonly Operation[]>> = {
  target: ["cross_entropy", "nll_loss"],
  dim: ["log_softmax"],
  dtype: ["log_softmax"],
  weight: ["cross_entropy", "nll_loss"],
  ignore_index: ["cross_entropy", "nll_loss"],
  reduction: ["cross_entropy", "nll_loss"],
  size_average: ["cross_entropy", "nll_loss"],
  reduce: ["cross_entropy", "nll_loss"],
  label_smoothing: ["cross_entropy"],
  return_grad_target: ["cross_entropy"],
};

const TENSORS = ["input", "target", "weight", "grad_output"];
const NUMBERS = ["dim", "ignore_index", "label_smoothing"];
const STRINGS = ["dtype", "reduction", "format", "non_finite"];
const BOOLEANS = ["size_average", "reduce"];
const CHECKBOXES = ["return_grad", "return_grad_target"];
const FIELDS: readonly string[] = [...TENSORS, ...NUMBERS, ...STRINGS, ...BOOLEANS, ...CHECKBOXES];

const control = (field: string): HTMLInputElement => byId(field) as HTMLInputElement;
const textOf = (field: string): string => control(field).value.trim();

/** True while `return_grad` is unchecked because grad_output is missing, not by the user. */
let isUnchecked = false;

function selectedOperation(): Operation {
  return control("operation").value as Operation;
}

function accepts(operation: Operation, field: string): boolean {
  return OPERATIONS_OF[field]?.includes(operation) ?? true;
}

/** Fills the controls with an example. */
export function fillForm({ operation, input, target, options = {} }: Example): void {
  control("operation").value = operation;
  for (const field of FIELDS) {
    if (CHECKBOXES.includes(field)) control(field).checked = field === "return_grad";
    else control(field).value = "";
  }
  control("input").value = formatTensor(input);
  if (target !== undefined) control("target").value = formatTensor(target);
  for (const [field, value] of Object.entries(options))
    control(field).value = typeof value === "object" ? formatTensor(value as Nested) : String(value);
  isUnchecked = false;
  updateControls("");
}

/** Shows the controls of the selected operation, and unchecks return_grad where it would fail. `changed` is the edited field. */
export function updateControls(changed: string): void {
  const operation = selectedOperation();
  for (const field of FIELDS) byId(`field-${field}`).hidden = !accepts(operation, field);
  byId("deprecated").hidden = !accepts(operation, "reduce");
  const isTensor = operation === "log_softmax" || reductionOf(readReduction(operation)) === "none";
  const isMissing = isTensor && textOf("grad_output") === "";
  const checkbox = control("return_grad");
  if (changed === "return_grad") isUnchecked = false;
  else if (isMissing ? checkbox.checked : isUnchecked) {
    checkbox.checked = !isMissing;
    isUnchecked = isMissing;
    if (isMissing) announce("return_grad was switched off: it needs a grad_output.", 0);
  }
  byId("hint-return_grad").textContent = isMissing
    ? "A result of several numbers needs a grad_output for its gradient."
    : "";
}

function readReduction(operation: Operation): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const field of ["reduction", ...BOOLEANS]) {
    const text = accepts(operation, field) ? textOf(field) : "";
    if (text !== "") body[field] = BOOLEANS.includes(field) ? text === "true" : text;
  }
  return body;
}

/**
 * Reads the request from the controls.
 *
 * @throws {FieldError} for a control that is not valid
 */
export function readForm(threeWays: boolean): LossRequest {
  const operation = selectedOperation();
  const body: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = accepts(operation, field) ? readField(field) : undefined;
    if (value !== undefined) body[field] = value;
  }
  if (body.input === undefined) throw new FieldError("input", "Type or paste some numbers.");
  if (body.target === undefined && accepts(operation, "target"))
    throw new FieldError("target", "A loss needs a class for each row, or probabilities.");
  const { input, target } = body as { input: Nested; target: Nested | undefined };
  return { operation, body, input, target, threeWays };
}

function readField(field: string): unknown {
  if (CHECKBOXES.includes(field)) return control(field).checked || undefined;
  // A number input hides text that is not a number, so its value is empty.
  if (control(field).validity.badInput) throw new FieldError(field, "This is not a number.");
  const text = textOf(field);
  if (text === "") return undefined;
  if (STRINGS.includes(field)) return text;
  if (BOOLEANS.includes(field)) return text === "true";
  if (NUMBERS.includes(field)) return exactNumber(text);
  return readTensor(field, text);
}

function readTensor(field: string, text: string): Nested | undefined {
  try {
    const parsed = parseTensor(text);
    showNote(field, parsed?.note ?? "");
    return parsed?.value;
  } catch (error) {
    if (error instanceof TextError) throw new FieldError(field, error.message);
    throw error;
  }
}

/** Shows a parser's note. Single-line controls have no element for it. */
function showNote(field: string, note: string): void {
  const line = document.getElementById(`note-${field}`);
  if (line !== null) line.textContent = note;
}

/** Marks a control as invalid. Ignores a field without a control. */
export function markField(field: string, message: string): void {
  const line = document.getElementById(`error-${field}`);
  if (line === null) return;
  line.textContent = message;
  control(field).setAttribute("aria-invalid", "true");
}

export function clearErrors(): void {
  for (const field of FIELDS) {
    byId(`error-${field}`).textContent = "";
    showNote(field, "");
    control(field).removeAttribute("aria-invalid");
  }
}

/** Returns the field and element of an error response, from its JSON pointer (RFC 6901). */
export function errorLocation({ errors }: Problem): { field: string; at: Indices } | undefined {
  const [, field, ...rest] = errors?.[0]?.pointer.split("/") ?? [];
  return field === undefined ? undefined : { field, at: rest.map(Number) };
}
