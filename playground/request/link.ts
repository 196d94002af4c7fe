/** A lesson as the hash of a link, readable and with the API's names: `#operation=cross_entropy&input=((2,1))&target=(0)&v=1`. */

import type { Indices, Nested } from "../tensors/slices.ts";
import { formatNumber, parseTensor } from "../tensors/tensor-text.ts";
import type { Example } from "./examples.ts";
import { EXAMPLES } from "./examples.ts";
import { FIELDS, fieldsOf, readNumber } from "./fields.ts";
import type { Body, Operation } from "./request.ts";
import { OPERATIONS } from "./request.ts";

const VERSION = "1";
/** Messengers and mail programs cut longer links. */
const MAX_LINK_CHARS = 8000;

/** Everything that the page shows: an example or a request of its own, and the controls beside it. */
export interface Lesson {
  /** The example whose note is shown. Its request is that of the lesson unless `request` is given. */
  readonly example: Example | undefined;
  readonly request: { readonly operation: Operation; readonly body: Body } | undefined;
  readonly classNames: string;
  readonly learningRate: string;
  /** The score of the curve. */
  readonly cell: Indices | undefined;
}

/** Thrown for a hash that is no lesson. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

/** Returns the hash of a lesson, or undefined if it would be too long for a link. */
export function hashOf({ example, request, classNames, learningRate, cell }: Lesson): string | undefined {
  const parts: [string, string][] = [];
  if (example !== undefined) parts.push(["example", example.slug]);
  if (request !== undefined) {
    parts.push(["operation", request.operation]);
    for (const [name, value] of Object.entries(request.body)) parts.push([name, textOf(value)]);
    // Its default in the page is true.
    if (request.body.return_grad === undefined) parts.push(["return_grad", "false"]);
    if (classNames !== "") parts.push(["classes", classNames]);
  }
  if (learningRate !== "") parts.push(["learning_rate", learningRate]);
  if (cell !== undefined) parts.push(["cell", textOf(cell)]);
  // Last, because programs that find links in a text leave a closing bracket at the end out.
  parts.push(["v", VERSION]);
  const hash = `#${parts.map(([name, text]) => `${name}=${encode(text)}`).join("&")}`;
  return hash.length > MAX_LINK_CHARS ? undefined : hash;
}

/** Writes a value without the characters that a link would escape: lists in round brackets. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? `(${value.map(textOf).join(",")})` : formatNumber(value);
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll("%2C", ",").replaceAll("%20", "+");
}

/**
 * Reads the hash of a link. Returns undefined for none.
 *
 * @throws {LinkError} for one that is damaged
 */
export function lessonOf(hash: string): Lesson | undefined {
  if (hash === "" || hash === "#") return undefined;
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  if (parts.get("v") !== VERSION) throw new LinkError("its end is missing, or another version made it");
  const take = (name: string): string => {
    const text = parts.get(name) ?? "";
    parts.delete(name);
    return text;
  };
  take("v");
  const slug = take("example");
  const example = EXAMPLES.find((one) => one.slug === slug);
  if (slug !== "" && example === undefined) throw new LinkError(`there is no example ${shortened(slug)}`);
  const lesson = {
    classNames: take("classes"),
    learningRate: String(finiteNumber("learning_rate", take("learning_rate")) ?? ""),
    cell: indices(take("cell")),
  };
  const operation = take("operation");
  if (operation === "") {
    if (example === undefined || parts.size > 0) throw new LinkError("it names no operation");
    return { ...lesson, example, classNames: example.classNames ?? "", request: undefined };
  }
  if (!isOperation(operation)) throw new LinkError(`there is no operation ${shortened(operation)}`);
  return { ...lesson, example, request: { operation, body: bodyOf(operation, parts) } };
}

function isOperation(name: string): name is Operation {
  return OPERATIONS.some((operation) => operation === name);
}

function bodyOf(operation: Operation, parts: URLSearchParams): Body {
  const body: Record<string, unknown> = {};
  for (const [name, text] of parts) {
    const field = fieldsOf(operation).find((one) => one.name === name);
    if (field === undefined) throw new LinkError(`${operation} has no ${shortened(name)}`);
    const value = { flag, choice, number: finiteNumber, tensor }[field.kind](name, text);
    if (value !== undefined) body[name] = value;
  }
  if (body.input === undefined) throw new LinkError("it has no input");
  return body;
}

function flag(name: string, text: string): true | undefined {
  if (text !== "true" && text !== "false") throw wrong(name, text);
  return text === "true" || undefined;
}

function choice(name: string, text: string): unknown {
  const found = FIELDS.find((field) => field.name === name)!.choices!.find((one) => String(one) === text);
  if (found === undefined) throw wrong(name, text);
  return found;
}

function finiteNumber(name: string, text: string): number | bigint | undefined {
  if (text === "") return undefined;
  if (!Number.isFinite(Number(text))) throw wrong(name, text);
  return readNumber(name, text);
}

function tensor(name: string, text: string): Nested | undefined {
  try {
    return parseTensor(text)?.value;
  } catch {
    throw wrong(name, text);
  }
}

function indices(text: string): Indices | undefined {
  if (text === "") return undefined;
  const list = text.replaceAll(/^\(|\)$/g, "");
  if (!/^(?:\d+(?:,\d+)*)?$/.test(list)) throw wrong("cell", text);
  return list === "" ? [] : list.split(",").map(Number);
}

function wrong(name: string, text: string): LinkError {
  return new LinkError(`${name} is ${shortened(text)}`);
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
