/** Reads a request from the form, and shows errors at its controls. Each API field has a control with its name as id. */

import type { Field } from "../request/fields.ts";
import { FIELDS, fieldsOf, readNumber } from "../request/fields.ts";
import type { Body, LossRequest, Operation } from "../request/request.ts";
import { classNamesOf, reductionOf } from "../request/request.ts";
import type { Nested } from "../tensors/slices.ts";
import { formatNumber, formatTensor, parseTensor, TextError } from "../tensors/tensor-text.ts";
import { setControlText } from "./control-text.ts";
import { announce, byId } from "./dom.ts";

/** Thrown for a control whose text is not valid. */
export class FieldError extends Error {
  override readonly name = "FieldError";
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

const control = (name: string): HTMLInputElement => byId(name) as HTMLInputElement;
const textOf = (name: string): string => control(name).value.trim();

/** Texts by the names of their controls. */
export type Texts = Readonly<Record<string, string>>;

/** Names of all controls with a text. */
const CONTROLS = ["operation", "class_names", "learning_rate", ...FIELDS.map(({ name }) => name)];

/** True while `return_grad` is unchecked because grad_output is missing, not by the user. */
let isUnchecked = false;

function selectedOperation(): Operation {
  return control("operation").value as Operation;
}

function accepts(operation: Operation, name: string): boolean {
  return fieldsOf(operation).some((field) => field.name === name);
}

/** Returns the class names as typed. */
export function readClassNames(): string {
  return textOf("class_names");
}

/** Fills the controls with a request, and opens the folds of its options. */
export function fillForm(operation: Operation, body: Body, classNames: string): void {
  control("operation").value = operation;
  control("class_names").value = classNames;
  for (const { name, kind } of FIELDS) {
    if (kind === "flag") control(name).checked = body[name] === true;
    else if (body[name] !== undefined || name !== "target") setControlText(name, textFor(body[name]));
    if (body[name] !== undefined && name !== "return_grad") openFold(name);
  }
  isUnchecked = false;
  updateControls("");
}

/** Returns the texts of all controls as typed, also of those that the operation hides. */
export function readTexts(): Texts {
  const flags = FIELDS.filter(({ kind }) => kind === "flag").map(({ name }) => name);
  const textIn = (name: string): string =>
    flags.includes(name) ? String(control(name).checked) : control(name).value;
  return Object.fromEntries(CONTROLS.map((name) => [name, textIn(name)]));
}

/** Fills the controls with the texts that {@link readTexts} returned, and opens the folds of options. */
export function fillTexts(texts: Texts): void {
  for (const name of CONTROLS) {
    const text = texts[name] ?? "";
    if (control(name).type === "checkbox") control(name).checked = text === "true";
    else setControlText(name, text);
  }
  isUnchecked = false;
  // As after a choice of return_grad, which stays as it was.
  updateControls("return_grad");
  const operation = selectedOperation();
  for (const field of fieldsOf(operation))
    if (field.name !== "return_grad" && isSet(field)) openFold(field.name);
}

/** Returns true if a control that the operation hides is set. */
export function hasHiddenTexts(): boolean {
  const operation = selectedOperation();
  return FIELDS.some((field) => !accepts(operation, field.name) && isSet(field));
}

function isSet({ name, kind }: Field): boolean {
  return kind === "flag" ? control(name).checked : textOf(name) !== "";
}

/** Shows another tensor in the control of an operand. */
export function setOperand(name: "input" | "target", value: Nested): void {
  setControlText(name, formatTensor(value));
}

function textFor(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "object" ? formatTensor(value as Nested) : formatNumber(value);
}

/** Opens the fold around a control, if there is one. */
function openFold(name: string): void {
  const fold = control(name).closest("details");
  if (fold !== null) fold.open = true;
}

/** Shows the controls of the selected operation, and unchecks return_grad where it would fail. `changed` is the edited field. */
export function updateControls(changed: string): void {
  const operation = selectedOperation();
  for (const { name } of FIELDS) byId(`field-${name}`).hidden = !accepts(operation, name);
  byId("deprecated").hidden = !accepts(operation, "reduce");
  showBatchMean(operation === "kl_div");
  const isTensor = operation === "log_softmax" || reductionOf(readReduction(operation)) === "none";
  const isMissing = isTensor && !hasGradOutput(operation);
  const checkbox = control("return_grad");
  if (changed === "return_grad") isUnchecked = false;
  else if (isMissing ? checkbox.checked : isUnchecked) {
    checkbox.checked = !isMissing;
    isUnchecked = isMissing;
    if (isMissing) announce("return_grad was switched off: it needs a grad_output.", 0);
  }
  byId("hint-return_grad").textContent = isMissing
    ? "A result of several numbers needs a grad_output (in More options) for its gradient."
    : "";
  showCount(operation);
}

/** Returns true if a gradient to go back from is given, for any result. */
function hasGradOutput(operation: Operation): boolean {
  return fieldsOf(operation).some(({ name }) => name.startsWith("grad_") && textOf(name) !== "");
}

/** Shows in the summary of the fold how many of its options are set, because they have an effect while it is closed. */
function showCount(operation: Operation): void {
  const count = fieldsOf(operation).filter((field) => field.group === "more" && isSet(field)).length;
  byId("more-count").textContent = count === 0 ? "" : ` (${count} set)`;
}

/** Offers the reduction of kl_div alone. */
function showBatchMean(isOffered: boolean): void {
  const { options } = byId("reduction") as HTMLSelectElement;
  const option = [...options].find(({ value }) => value === "batchmean")!;
  option.hidden = !isOffered;
  option.disabled = !isOffered;
  if (!isOffered && option.selected) control("reduction").value = "";
}

function readReduction(operation: Operation): Record<string, unknown> {
  const names = ["reduction", "size_average", "reduce"];
  const fields = fieldsOf(operation).filter(({ name }) => names.includes(name));
  const values = fields.map((field) => [field.name, readField(field)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/**
 * Reads the request from the controls.
 *
 * @throws {FieldError} for a control that is not valid
 */
export function readForm(threeWays: boolean): LossRequest {
  const operation = selectedOperation();
  const body: Record<string, unknown> = {};
  for (const field of fieldsOf(operation)) {
    const value = readField(field);
    if (value !== undefined) body[field.name] = value;
  }
  if (body.input === undefined) throw new FieldError("input", "Type or paste some numbers.");
  if (body.target === undefined && accepts(operation, "target"))
    throw new FieldError("target", "A loss needs a class for each row, or probabilities.");
  const { input, target } = body as { input: Nested; target: Nested | undefined };
  return { operation, body, input, target, classNames: classNamesOf(readClassNames()), threeWays };
}

function readField({ name, kind, choices = [] }: Field): unknown {
  if (kind === "flag") return control(name).checked || undefined;
  // A number input hides text that is not a number, so its value is empty.
  if (control(name).validity.badInput) throw new FieldError(name, "This is not a number.");
  const text = textOf(name);
  if (text === "") return undefined;
  if (kind === "choice") return choices.find((choice) => String(choice) === text);
  return kind === "number" ? readNumber(name, text) : readTensor(name, text);
}

function readTensor(name: string, text: string): Nested | undefined {
  try {
    const parsed = parseTensor(text);
    byId(`note-${name}`).textContent = parsed?.note ?? "";
    return parsed?.value;
  } catch (error) {
    if (error instanceof TextError) throw new FieldError(name, error.message);
    throw error;
  }
}

/** Marks a control as invalid, and opens its fold. Ignores a field without a control. */
export function markField(name: string, message: string): void {
  const line = document.getElementById(`error-${name}`);
  if (line === null) return;
  line.textContent = message;
  control(name).setAttribute("aria-invalid", "true");
  openFold(name);
}

export function clearErrors(): void {
  for (const { name } of FIELDS) {
    byId(`error-${name}`).textContent = "";
    byId(`note-${name}`).textContent = "";
    control(name).removeAttribute("aria-invalid");
  }
}
