/** A tour of the client of @hey-api/openapi-ts, of the whole contract: with nested lists. Usage: node openapi-ts.ts URL TOKEN */
import assert from "node:assert/strict";
import { createClient } from "../../sdk/openapi-ts/client/index.ts";
import { client } from "../../sdk/openapi-ts/client.gen.ts";
import type { ResultTensor, Tensor } from "../../sdk/openapi-ts/index.ts";
import { crossEntropy, logSoftmax } from "../../sdk/openapi-ts/index.ts";

let passed = 0;
function expect(what: string, ok: boolean): void {
  assert(ok, `${what}: not as expected`);
  passed += 1;
}
/** Number reads "NaN", "Infinity" and "-Infinity", too. */
const near = (a: unknown, b: number): boolean => Math.abs(Number(a) - b) < 1e-6;

// Connect
const [baseUrl = "", token = ""] = process.argv.slice(2);
client.setConfig({ baseUrl, auth: token });

// Cross entropy with its gradient
const input = [
  [2, 1, 0, -1, 0.5],
  [0.25, 0.5, -0.5, 1, -1],
  [1, 0.75, -0.25, 0, 2],
];
const target = [1, 0, 4];
const { data: answer } = await crossEntropy({
  body: { input, target, return_grad: true },
  throwOnError: true,
});
const gradient = answer.grad_input as number[][];
console.log("loss", answer.loss, "gradient", gradient);
expect("loss", near(answer.loss, 1.2848786));
expect("gradient", near(gradient[0]?.[0], 0.18767375));

// One loss for each row
const rows = await crossEntropy({ body: { input, target, reduction: "none" }, throwOnError: true });
expect("losses", near((rows.data.losses as number[])[2], 0.6392815));

// An image: one sample, two classes, 2 x 2 pixels
const image = [
  [
    [
      [0, 1],
      [2, 3],
    ],
    [
      [0, 0],
      [0, 0],
    ],
  ],
];
const classes = [
  [
    [0, 1],
    [0, 1],
  ],
];
const pixels = await crossEntropy({ body: { input: image, target: classes }, throwOnError: true });
expect("image loss", near(pixels.data.loss, 1.2954811));

// Infinite logits
const masked = [
  [0, 0],
  [1, "-Infinity" as const],
];
const logs = await logSoftmax({ body: { input: masked, dim: 1 }, throwOnError: true });
const last = (logs.data.output as (number | string)[][])[1]?.[1];
expect("-Infinity", Number(last) === -Infinity);

// A mean over nothing
const nothing = await crossEntropy({ body: { input, target: [-100, -100, -100] }, throwOnError: true });
expect("NaN", Number.isNaN(Number(nothing.data.loss)) && nothing.data.warnings?.length === 1);

// A refusal
const { error: problem } = await crossEntropy({ body: { input, target: [1, 0, 5] } });
console.log(problem?.code, problem?.errors?.[0]?.pointer, problem?.detail);
expect("code", problem?.code === "target_out_of_bounds");
expect("pointer", problem?.errors?.[0]?.pointer === "/target/2");

// No token
const stranger = createClient({ baseUrl });
const refused = await crossEntropy({ body: { input, target }, client: stranger });
expect("unauthorized", refused.error?.code === "unauthorized");

// 100000 numbers as bytes
const numbers = Float32Array.from({ length: 100_000 }, (_, at) => at % 7);
const base64 = Buffer.from(numbers.buffer).toString("base64");
const large: Tensor = { dtype: "float32", shape: [100, 1000], base64 };
const { data } = await logSoftmax({ body: { input: large, dim: 1 }, throwOnError: true });
const { base64: output = "" } = data.output as ResultTensor;
const bytes = Uint8Array.from(Buffer.from(output, "base64"));
const row = new Float32Array(bytes.buffer).subarray(0, 1000);
expect("base64", Math.abs(row.reduce((sum, value) => sum + Math.exp(value), 0) - 1) < 1e-5);

console.log(passed, "steps passed");
