/** Examples of the OpenAPI documents. A test sends each and compares the response. */

export interface Example {
  readonly summary: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly response: Readonly<Record<string, unknown>>;
}

/** Example of a request or response in the document. */
export interface NamedExample {
  readonly summary: string;
  readonly value: unknown;
}

export interface ErrorExample {
  readonly path: string;
  readonly summary: string;
  /** Body as text, because some bodies are not JSON. */
  readonly request: string;
  readonly response: Readonly<Record<string, unknown>> & { readonly code: string; readonly status: number };
}

/** Converts each value of a record. */
export function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A, name: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
