/** The controls: every field of the API has one, with the field's name as its id. */

import { byId } from "./dom.ts";
import type { Example } from "./examples.ts";
import type { Operation, Question } from "./picture.ts";
import { reductionOf } from "./picture.ts";
import { say } from "./say.ts";
import type { Problem } from "./server.ts";
import type { Nested } from "./slices.ts";
import { formatTensor, parseTensor, TextError } from "./tensor-text.ts";

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
  size_average: ["cross_entropy", "nll_loss"],
  reduce: ["cross_entropy", "nll_loss"],
  label_smoothing: ["cross_entropy"],
  return_grad_target: ["cross_entropy"],
};

const TENSORS = ["input", "target", "weight", "grad_output"];
const NUMBERS = ["dim", "ignore_index", "label_smoothing"];
const WORDS = ["dtype", "reduction", "format", "non_finite"];
const CHOICES = ["size_average", "reduce"];
const FLAGS = ["return_grad", "return_grad_target"];
/** Every field of the API, tensors first. */
export const FIELDS: readonly string[] = [...TENSORS, ...NUMBERS, ...WORDS, ...CHOICES, ...FLAGS];

const input = (field: string): HTMLInputElement => byId(field) as HTMLInputElement;
const textOf = (field: string): string => input(field).value.trim();

/** Whether `return_grad` was unticked here, and not by the person. */
let isUnticked = false;

function operationNow(): Operation {
  return input("operation").value as Operation;
}

function takes(operation: Operation, field: string): boolean {
  return FIELDS_OF[field]?.includes(operation) ?? true;
}

/** Puts an example into the controls. */
export function fillIn({ operation, input: scores, target, options = {} }: Example): void {
  input("operation").value = operation;
  for (const field of FIELDS) {
    if (FLAGS.includes(field)) input(field).checked = field === "return_grad";
    else input(field).value = "";
  }
  input("input").value = formatTensor(scores);
  if (target !== undefined) input("target").value = formatTensor(target);
  for (const [field, value] of Object.entries(options))
    input(field).value = typeof value === "object" ? formatTensor(value as Nested) : String(value);
  isUnticked = false;
  settle("");
}

/** After a change of a control: shows those of the operation, and asks for no gradient that there cannot be. */
export function settle(changed: string): void {
  const operation = operationNow();
  for (const field of FIELDS) byId(`field-${field}`).hidden = !takes(operation, field);
  byId("deprecated").hidden = !takes(operation, "reduce");
  const isSeveral = operation === "log_softmax" || reductionOf(readChoices(operation)) === "none";
  const isMissing = isSeveral && textOf("grad_output") === "";
  const flag = input("return_grad");
  if (changed === "return_grad") isUnticked = false;
  else if (isMissing ? flag.checked : isUnticked) {
    flag.checked = !isMissing;
    isUnticked = isMissing;
    if (isMissing) say("return_grad was switched off: it needs a grad_output.", 0);
  }
  byId("hint-return_grad").textContent = isMissing
    ? "A result of several numbers has a gradient for a grad_output only."
    : "";
}

/** The fields that say what becomes of the losses. */
function readChoices(operation: Operation): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of ["reduction", ...CHOICES]) {
    const text = takes(operation, field) ? textOf(field) : "";
    if (text !== "") found[field] = CHOICES.includes(field) ? text === "true" : text;
  }
  return found;
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
  if (FLAGS.includes(field)) return input(field).checked || undefined;
  // Of text that is no number, an input of type number has no value, but this.
  if (input(field).validity.badInput) throw new FieldError(field, "This is not a number.");
  const text = textOf(field);
  if (text === "") return undefined;
  if (WORDS.includes(field)) return text;
  if (CHOICES.includes(field)) return text === "true";
  if (NUMBERS.includes(field)) return Number(text);
  try {
    const reading = parseTensor(text);
    showNote(field, reading?.note ?? "");
    return reading?.value;
  } catch (error) {
    if (error instanceof TextError) throw new FieldError(field, error.message);
    throw error;
  }
}

/** Says what was left out of a text; short ones have no place for it. */
function showNote(field: string, note: string): void {
  const line = document.getElementById(`note-${field}`);
  if (line !== null) line.textContent = note;
}

/** Shows what is wrong at the control that it is wrong in, if there is one. */
export function showFault(field: string, message: string): void {
  const line = document.getElementById(`error-${field}`);
  if (line === null) return;
  line.textContent = message;
  input(field).setAttribute("aria-invalid", "true");
}

export function clearFaults(): void {
  for (const field of FIELDS) {
    byId(`error-${field}`).textContent = "";
    showNote(field, "");
    input(field).removeAttribute("aria-invalid");
  }
}

/** The field and the element that a refusal names, from its pointer (RFC 6901). */
export function placeOf({ errors }: Problem): { field: string; at: number[] } | undefined {
  const [, field, ...rest] = errors?.[0]?.pointer.split("/") ?? [];
  return field === undefined ? undefined : { field, at: rest.map(Number) };
}
