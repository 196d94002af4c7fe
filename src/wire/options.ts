/** Options that a format carries as text: a query string's, a safetensors file's metadata. */
import { echo, rejectAt } from "../problems.ts";

/** What writers of safetensors files say about themselves in `format`; no option of a request. */
const WRITERS = new Set(["pt", "np", "tf", "flax", "mlx"]);

/** An integer or a fraction in JSON's notation. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * The options of a request as the fields of a JSON body: a query string's, then those of the metadata that it does not name. `true`, `false`,
 * `null` and numbers are read as JSON; everything else is text. Refuses one that stands twice in the query string.
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
    if (typeof text !== "string")
      throw rejectAt("duplicate_key", `/${echo(name)}`, "this option stands twice");
    options.set(name, readOption(name, text));
  }
  return Object.fromEntries(options);
}

/** Options whose values are words, one of which is null. */
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

/** As the scanner of JSON reads it: what was rounded to 2^53 becomes the next double, which is beyond the limit of every integer option. */
function readNumber(text: string): number {
  const value = Number(text);
  if (Math.abs(value) !== 2 ** 53 || text === String(value)) return value;
  return value + 2 * Math.sign(value);
}
