/** A tour of the client of openapi-typescript and openapi-fetch. Usage: node openapi-fetch.ts URL TOKEN */
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { CrossEntropyRequest, paths, Tensor } from "../../sdk/openapi-fetch/lossd.d.ts";

let passed = 0;
function expect(what: string, ok: boolean): void {
  assert(ok, `${what}: not as expected`);
  passed += 1;
}
/** Number reads "NaN", "Infinity" and "-Infinity", too. */
const near = (a: unknown, b: number): boolean => Math.abs(Number(a) - b) < 1e-6;

// Connect
const [baseUrl = "", token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });

async function crossEntropy(body: CrossEntropyRequest) {
  const { data, error } = await client.POST("/v1/cross_entropy", { body });
  if (error) throw new Error(error.detail);
  return data;
}

// Cross entropy with its gradient
const input: Tensor = {
  shape: [3, 5],
  data: [2, 1, 0, -1, 0.5, 0.25, 0.5, -0.5, 1, -1, 1, 0.75, -0.25, 0, 2],
};
const target: Tensor = { shape: [3], data: [1, 0, 4] };
const answer = await crossEntropy({ input, target, return_grad: true });
console.log("loss", answer.loss, "gradient", answer.grad_input?.data);
expect("loss", near(answer.loss, 1.2848786));
expect("gradient", near(answer.grad_input?.data?.[0], 0.18767375));

// One loss for each row
const { losses } = await crossEntropy({ input, target, reduction: "none" });
expect("losses", near(losses?.data?.[2], 0.6392815));

// An image: one sample, two classes, 2 x 2 pixels
const pixels = await crossEntropy({
  input: { shape: [1, 2, 2, 2], data: [0, 1, 2, 3, 0, 0, 0, 0] },
  target: { shape: [1, 2, 2], data: [0, 1, 0, 1] },
});
expect("image loss", near(pixels.loss, 1.2954811));

// Infinite logits
const masked: Tensor = { shape: [2, 2], data: [0, 0, 1, "-Infinity"] };
const logs = await client.POST("/v1/log_softmax", { body: { input: masked, dim: 1 } });
expect("-Infinity", Number(logs.data?.output.data?.[3]) === -Infinity);

// A mean over nothing
const nothing = await crossEntropy({ input, target: { shape: [3], data: [-100, -100, -100] } });
expect("NaN", Number.isNaN(Number(nothing.loss)) && nothing.warnings?.length === 1);

// A refusal
const wrong: Tensor = { shape: [3], data: [1, 0, 5] };
const { error: problem } = await client.POST("/v1/cross_entropy", { body: { input, target: wrong } });
console.log(problem?.code, problem?.errors?.[0]?.pointer, problem?.detail);
expect("code", problem?.code === "target_out_of_bounds");
expect("pointer", problem?.errors?.[0]?.pointer === "/target/data/2");

// No token
const stranger = createClient<paths>({ baseUrl });
const refused = await stranger.POST("/v1/cross_entropy", { body: { input, target } });
expect("unauthorized", refused.error?.code === "unauthorized");

// 100000 numbers as bytes
const numbers = Float32Array.from({ length: 100_000 }, (_, at) => at % 7);
const base64 = Buffer.from(numbers.buffer).toString("base64");
const large: Tensor = { dtype: "float32", shape: [100, 1000], base64 };
const { data } = await client.POST("/v1/log_softmax", { body: { input: large, dim: 1 } });
const bytes = Uint8Array.from(Buffer.from(data?.output.base64 ?? "", "base64"));
const row = new Float32Array(bytes.buffer).subarray(0, 1000);
expect("base64", Math.abs(row.reduce((sum, value) => sum + Math.exp(value), 0) - 1) < 1e-5);

console.log(passed, "steps passed");
