/** Request bodies of the service benchmarks. */
import { uniform } from "./measure.ts";

/** The README's first request. */
export const SMALL =
  '{"input": [[2, 1, 0, -1, 0.5], [0.25, 0.5, -0.5, 1, -1], [1, 0.75, -0.25, 0, 2]], "target": [1, 0, 4]}';

/** Nested rows of logits with 6 decimals, like a client's, and a class per row or the dimension to normalise. */
export function rowsBody(rows: number, classes: number, operation: "cross_entropy" | "log_softmax"): string {
  const random = uniform();
  const row = (): string =>
    `[${Array.from({ length: classes }, () => (random() * 10 - 5).toFixed(6)).join(", ")}]`;
  const input = `[${Array.from({ length: rows }, row).join(", ")}]`;
  if (operation === "log_softmax") return `{"input": ${input}, "dim": 1}`;
  const target = Array.from({ length: rows }, () => Math.floor(random() * classes));
  return `{"input": ${input}, "target": [${target.join(", ")}]}`;
}

/** Beginning of a safetensors file with `rows` targets of class 0, before rows of float32 logits. */
export function fileBegin(rows: number, classes: number): Buffer {
  const targets = Buffer.alloc(rows * 8);
  const header = JSON.stringify({
    target: { dtype: "I64", shape: [rows], data_offsets: [0, targets.length] },
    input: {
      dtype: "F32",
      shape: [rows, classes],
      data_offsets: [targets.length, targets.length + rows * classes * 4],
    },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), targets]);
}

/** The bytes of float32 logits. */
export function logitBytes(count: number): Buffer {
  const random = uniform();
  return Buffer.from(Float32Array.from({ length: count }, () => random() * 10 - 5).buffer);
}
