/** A request of the form, and its options as PyTorch resolves them. */
import type { Indices, Nested } from "./slices.ts";
import { lineAt, numberAt, shapeOf, toNumber } from "./slices.ts";

export type Operation = "cross_entropy" | "nll_loss" | "log_softmax";
export type Reduction = "none" | "mean" | "sum";
/** The JSON object of a request or response. */
export type Body = Readonly<Record<string, unknown>>;

export interface LossRequest {
  readonly operation: Operation;
  /** The body exactly as it is shown, copied and sent. */
  readonly body: Body;
  readonly input: Nested;
  readonly target: Nested | undefined;
  /** Also computes the loss in the two other equivalent ways. */
  readonly threeWays: boolean;
}

const IGNORE_INDEX = -100;

/** Returns the class dimension. For log_softmax, returns the requested `dim` or PyTorch's legacy default. */
export function dimOf({ operation, body, input }: LossRequest): number {
  const rank = shapeOf(input).length;
  if (operation !== "log_softmax") return rank === 1 ? 0 : 1;
  const dim = typeof body.dim === "number" ? body.dim : [0, 1, 3].includes(rank) ? 0 : 1;
  return dim < 0 ? dim + rank : dim;
}

/** Returns the reduction. The deprecated `size_average` and `reduce` override `reduction`, as in PyTorch. */
export function reductionOf({ reduction = "mean", size_average = null, reduce = null }: Body): Reduction {
  if (size_average === null && reduce === null)
    return reduction === "none" || reduction === "sum" ? reduction : "mean";
  if (reduce === false) return "none";
  return size_average === false ? "sum" : "mean";
}

/** Returns true if the target holds class probabilities, which have the input's shape. */
export function hasProbabilities({ input, target }: LossRequest): boolean {
  return target !== undefined && shapeOf(target).length === shapeOf(input).length;
}

/** Returns the class index at a position, whose indices omit the class dimension. Returns undefined for `ignore_index`. */
export function classAt({ target, body }: LossRequest, position: Indices): number | undefined {
  const index = numberAt(target!, position);
  return index === (body.ignore_index ?? IGNORE_INDEX) ? undefined : index;
}

/** Returns true if a cell's class is the target of its position or has a positive probability. */
export function isTarget(request: LossRequest, at: Indices): boolean {
  if (request.target === undefined) return false;
  if (hasProbabilities(request)) return numberAt(request.target, at) > 0;
  const dim = dimOf(request);
  return classAt(request, at.toSpliced(dim, 1)) === (at[dim] ?? 0);
}

/** Returns `label_smoothing`. Like PyTorch, treats a negative value as 0. */
export function smoothingOf({ body }: LossRequest): number {
  return Math.max(toNumber(body.label_smoothing ?? 0), 0);
}

/** Returns the weight of each class, 1 by default. */
export function weightsOf(request: LossRequest): number[] {
  const { weight } = request.body as { weight?: Nested };
  const classes = shapeOf(request.input)[dimOf(request)] ?? 1;
  return Array.from({ length: classes }, (_, c) => (weight === undefined ? 1 : numberAt(weight, [c])));
}

/** Returns the target probability of each class at a position, after label smoothing. */
export function targetProbabilities(request: LossRequest, position: Indices): number[] {
  const { input, target } = request;
  const dim = dimOf(request);
  const classes = shapeOf(input)[dim] ?? 1;
  const smoothing = smoothingOf(request);
  const probabilities = hasProbabilities(request)
    ? lineAt(target!, position.toSpliced(dim, 0, 0), dim)
    : Array.from({ length: classes }, (_, c) => Number(c === classAt(request, position)));
  return probabilities.map((share) =>
    smoothing === 0 ? share : share * (1 - smoothing) + smoothing / classes,
  );
}

/** Returns the requested dtype if its rounding is visible in 4 digits. */
export function coarseDtype({ dtype }: Body): string | undefined {
  return dtype === "float16" || dtype === "bfloat16" ? dtype : undefined;
}

/** Rounds a score to float32 and then to `dtype`, like the server. */
export function roundScore(body: Body, value: number): number {
  const dtype = coarseDtype(body);
  if (dtype === "float16") return Math.f16round(Math.fround(value));
  return dtype === "bfloat16" ? toBfloat16(value) : Math.fround(value);
}

/** Rounds to the upper half of a float32: to nearest, ties to even. */
function toBfloat16(value: number): number {
  if (!Number.isFinite(value)) return value;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  view.setUint32(0, (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
  return view.getFloat32(0);
}
