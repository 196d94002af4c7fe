/** Options in text form: query strings and safetensors metadata. */
import { excerpt, rejectAt } from "../../problems.ts";

/** Values of `format` that safetensors writers add to the metadata. They are not options. */
const WRITERS = new Set(["pt", "np", "tf", "flax", "mlx"]);

/** JSON number. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Reads the options of a request as fields of a JSON body. The query string overrides the metadata. `true`, `false`,
 * `null` and numbers are read as JSON, everything else is text. Rejects a duplicate option in the query string.
 */
export function readOptions(
  metadata: Readonly<Record<string, string>>,
  query: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const options = new Map<string, unknown>();
  for (const [name, text] of Object.entries(metadata)) {
    if (name !== "format" || !WRITERS.has(text)) options.set(name, readOption(name, text));
  }
  for (const [name, text] of Object.entries(query)) {
    if (typeof text !== "string") throw rejectAt("duplicate_key", `/${excerpt(name)}`, "duplicate option");
    options.set(name, readOption(name, text));
  }
  return Object.fromEntries(options);
}

/** Options whose value may be the word null. */
const WORDS = new Set(["non_finite"]);

function readOption(name: string, text: string): unknown {
  return WORDS.has(name) ? text : readValue(text);
}

function readValue(text: string): unknown {
  if (text === "true") return true;
  if (text === "false") return false;
  if (text === "null") return null;
  return NUMBER.test(text) ? readNumber(text) : text;
}

/**
 * Reads a number as the JSON scanner does. A number rounded to 2^53 becomes the next double, which exceeds the limit of
 * every integer option.
 */
function readNumber(text: string): number {
  const value = Number(text);
  if (Math.abs(value) !== 2 ** 53 || text === String(value)) return value;
  return value + 2 * Math.sign(value);
}
