/** The bodies that the service is measured with. */
import { uniform } from "./measure.ts";

/** The README's first request. */
export const SMALL =
  '{"input": [[2, 1, 0, -1, 0.5], [0.25, 0.5, -0.5, 1, -1], [1, 0.75, -0.25, 0, 2]], "target": [1, 0, 4]}';

/** Nested rows of logits with 6 decimals, as a client prints them, and a class for each row or the dimension to normalise. */
export function rowsBody(rows: number, classes: number, operation: "cross_entropy" | "log_softmax"): string {
  const random = uniform();
  const row = (): string =>
    `[${Array.from({ length: classes }, () => (random() * 10 - 5).toFixed(6)).join(", ")}]`;
  const input = `[${Array.from({ length: rows }, row).join(", ")}]`;
  if (operation === "log_softmax") return `{"input": ${input}, "dim": 1}`;
  const target = Array.from({ length: rows }, () => Math.floor(random() * classes));
  return `{"input": ${input}, "target": [${target.join(", ")}]}`;
}
