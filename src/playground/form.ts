/** The controls: every field of the API has one, with the field's name as its id. */
import type { Example } from "./examples.ts";
import type { Operation, Question } from "./picture.ts";
import type { Problem } from "./server.ts";
import type { Nested } from "./text.ts";
import { readTensor, TextError, writeTensor } from "./text.ts";

/** Thrown for a control whose text cannot be read. */
export class FieldError extends Error {
  override readonly name = "FieldError";
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** Which operations take a field; those that are not here are taken by all. */
const FIELDS_OF: Readonly<Record<string, readonly Operation[]>> = {
  target: ["cross_entropy", "nll_loss"],
  dim: ["log_softmax"],
  dtype: ["log_softmax"],
  weight: ["cross_entropy", "nll_loss"],
  ignore_index: ["cross_entropy", "nll_loss"],
  reduction: ["cross_entropy", "nll_loss"],
  label_smoothing: ["cross_entropy"],
  return_grad_target: ["cross_entropy"],
};

const TENSORS = ["input", "target", "weight", "grad_output"];
const NUMBERS = ["dim", "ignore_index", "label_smoothing"];
const WORDS = ["dtype", "reduction", "format"];
const FLAGS = ["return_grad", "return_grad_target"];
const FIELDS = [...TENSORS, ...NUMBERS, ...WORDS, ...FLAGS];

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function control(field: string): Control {
  return document.getElementById(field) as Control;
}

export function operationNow(): Operation {
  return control("operation").value as Operation;
}

function takes(operation: Operation, field: string): boolean {
  return FIELDS_OF[field]?.includes(operation) ?? true;
}

/** Shows the controls of an operation, and hides the others. */
export function showFields(operation: Operation): void {
  for (const field of FIELDS) document.getElementById(`field-${field}`)!.hidden = !takes(operation, field);
}

/** Puts an example into the controls. */
export function fillIn({ operation, input, target, options = {} }: Example): void {
  (control("operation") as HTMLSelectElement).value = operation;
  for (const field of FIELDS) {
    const part = control(field);
    if (part instanceof HTMLInputElement && part.type === "checkbox") part.checked = field === "return_grad";
    else part.value = "";
  }
  control("input").value = writeTensor(input);
  if (target !== undefined) control("target").value = writeTensor(target);
  for (const [field, value] of Object.entries(options)) control(field).value = String(value);
  showFields(operation);
}

/** What the controls ask. Refuses with {@link FieldError}. */
export function readForm(threeWays: boolean): Question {
  const operation = operationNow();
  const body: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = takes(operation, field) ? readField(field) : undefined;
    if (value !== undefined) body[field] = value;
  }
  if (body.input === undefined) throw new FieldError("input", "Type or paste some numbers.");
  if (body.target === undefined && takes(operation, "target"))
    throw new FieldError("target", "A loss needs a class for each row, or probabilities.");
  return {
    operation,
    body,
    input: body.input as Nested,
    target: body.target as Nested | undefined,
    threeWays,
  };
}

function readField(field: string): unknown {
  const part = control(field);
  if (FLAGS.includes(field)) return (part as HTMLInputElement).checked || undefined;
  const text = part.value.trim();
  if (text === "") return undefined;
  if (WORDS.includes(field)) return text;
  if (NUMBERS.includes(field)) return Number(text);
  try {
    return readTensor(text);
  } catch (error) {
    if (error instanceof TextError) throw new FieldError(field, error.message);
    throw error;
  }
}

/** Shows what is wrong at the control that it is wrong in; true if there is one. */
export function showFault(field: string, message: string): boolean {
  const line = document.getElementById(`error-${field}`);
  if (line === null) return false;
  line.textContent = message;
  control(field).setAttribute("aria-invalid", "true");
  return true;
}

export function clearFaults(): void {
  for (const field of FIELDS) {
    document.getElementById(`error-${field}`)!.textContent = "";
    control(field).removeAttribute("aria-invalid");
  }
}

/** The field and the element that a refusal names, from its pointer (RFC 6901). */
export function placeOf({ errors }: Problem): { field: string; at: number[] } | undefined {
  const [, field, ...rest] = errors?.[0]?.pointer.split("/") ?? [];
  return field === undefined ? undefined : { field, at: rest.map(Number) };
}
