/**
 * Naive service: Fastify parses the JSON, Ajv checks every element, plain loops compute in doubles, Fastify prints.
 * Listens on PORT.
 */
import Fastify from "fastify";

const MiB = 1024 * 1024;

const matrix = { type: "array", items: { type: "array", items: { type: "number" } } };

interface Body {
  readonly input: number[][];
  readonly target: number[];
}

const app = Fastify({ bodyLimit: 64 * MiB });

app.post<{ Body: Body }>("/v1/cross_entropy", {
  schema: {
    body: {
      type: "object",
      required: ["input", "target"],
      properties: { input: matrix, target: { type: "array", items: { type: "integer" } } },
    },
    response: { 200: { type: "object", properties: { loss: { type: "number" } } } },
  },
  handler: async ({ body: { input, target } }) => {
    let sum = 0;
    for (let n = 0; n < input.length; n++) sum -= logSoftmax(input[n]!)[target[n]!]!;
    return { loss: sum / input.length };
  },
});

app.post<{ Body: Body }>("/v1/log_softmax", {
  schema: {
    body: { type: "object", required: ["input"], properties: { input: matrix, dim: { type: "integer" } } },
  },
  handler: async ({ body: { input } }) => ({ output: input.map(logSoftmax) }),
});

function logSoftmax(row: readonly number[]): number[] {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of row) if (value > max) max = value;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - max);
  const shift = max + Math.log(sum);
  return row.map((value) => value - shift);
}

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
