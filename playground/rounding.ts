/** What the server makes of a score before it computes: lists are float32, and log_softmax casts them to `dtype`. */
import type { Question } from "./picture.ts";

/** The type whose rounding is seen in four digits; undefined where there is none. */
export function coarseType({ body: { dtype } }: Pick<Question, "body">): string | undefined {
  return dtype === "float16" || dtype === "bfloat16" ? dtype : undefined;
}

/** A score as the server computes with it. */
export function rounded(question: Pick<Question, "body">, value: number): number {
  const type = coarseType(question);
  if (type === "float16") return Math.f16round(Math.fround(value));
  return type === "bfloat16" ? toBfloat16(value) : Math.fround(value);
}

/** The upper half of a float32, to nearest, and of two that are as near to the even one. */
function toBfloat16(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  if (!Number.isFinite(value)) return value;
  const bits = view.getUint32(0);
  view.setUint32(0, (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
  return view.getFloat32(0);
}
