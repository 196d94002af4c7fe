/** What the document says beyond the routes' schemas: worked examples, and words that the wire checks later than the schema. */
import type { OpenAPIV3_1 } from "openapi-types";
import { EXAMPLES, REFUSAL_EXAMPLES } from "./contract/examples.ts";

/** The document as @fastify/swagger hands it over. */
export type Document = Pick<OpenAPIV3_1.Document, "paths" | "components">;

/** Adds the worked examples; test/http/examples.test.ts sends each and compares the answer. */
export function withExamples(document: Document): void {
  nameReductions(document);
  for (const [path, examples] of Object.entries(EXAMPLES)) {
    const operation = document.paths?.[path]?.post;
    const request = contentOf(operation?.requestBody, "application/json");
    const response = contentOf(operation?.responses?.["200"], "application/json");
    if (request === undefined || response === undefined) continue;
    request.examples = mapValues(examples, ({ summary, request: value }) => ({ summary, value }));
    response.examples = mapValues(examples, ({ summary, response: value }) => ({ summary, value }));
  }
  for (const { path, summary, response } of REFUSAL_EXAMPLES) {
    const media = contentOf(
      document.paths?.[path]?.post?.responses?.[response.status],
      "application/problem+json",
    );
    if (media !== undefined)
      media.examples = { ...media.examples, [response.code]: { summary, value: response } };
  }
}

// The wire lets any word pass where size_average or reduce is given, as PyTorch does, so the validator's schema has no enum.
function nameReductions(document: Document): void {
  const reduction = document.components?.schemas?.Reduction;
  if (reduction !== undefined) {
    (reduction as OpenAPIV3_1.SchemaObject).enum = ["none", "mean", "sum", "elementwise_mean"];
  }
}

function contentOf(part: unknown, type: string): OpenAPIV3_1.MediaTypeObject | undefined {
  return (part as { content?: Record<string, OpenAPIV3_1.MediaTypeObject> } | undefined)?.content?.[type];
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}
