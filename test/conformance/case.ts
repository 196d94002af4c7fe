/** The format of the case files (see README.md here), and how a case becomes a request. */
import { readFileSync } from "node:fs";

export type CaseNumber = number | "NaN" | "Infinity" | "-Infinity";

export interface CaseTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly CaseNumber[];
}

export interface Case {
  readonly id: string;
  readonly op: "log_softmax" | "nll_loss" | "cross_entropy";
  readonly tags: readonly string[];
  readonly input: CaseTensor;
  readonly target?: CaseTensor;
  readonly weight?: CaseTensor;
  readonly grad_output?: CaseTensor;
  readonly grad?: boolean;
  readonly grad_target?: boolean;
  readonly expect?: {
    readonly output: CaseTensor;
    readonly grad_input?: CaseTensor;
    readonly grad_target?: CaseTensor;
  };
  readonly expect_error?: boolean;
  readonly error?: { readonly type: string; readonly message: string };
  readonly tol?: { readonly rtol: number; readonly atol: number };
  readonly v2?: string;
}

const TENSORS = ["input", "target", "weight", "grad_output"] as const;
const OPTIONS = [
  "dim",
  "dtype",
  "shift",
  "temperature",
  "softcap",
  "ignore_index",
  "reduction",
  "label_smoothing",
  "size_average",
  "reduce",
] as const;

export function readCases(file: string): Case[] {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Case);
}

/** The request that asks the case's question, its tensors written by `write`. */
export function requestOf(test: Case, write: (tensor: CaseTensor) => unknown): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const name of OPTIONS) {
    const value = (test as unknown as Record<string, unknown>)[name];
    if (value !== undefined) body[name] = value;
  }
  for (const name of TENSORS) {
    const tensor = test[name];
    if (tensor !== undefined) body[name] = write(tensor);
  }
  if (test.grad) body.return_grad = true;
  if (test.grad_target) body.return_grad_target = true;
  return body;
}

/** |got - want| <= atol + rtol * |want|; NaN matches NaN only, an infinity its own sign only. */
export function close(got: number, want: number, { rtol, atol }: { rtol: number; atol: number }): boolean {
  if (Number.isNaN(want)) return Number.isNaN(got);
  if (!Number.isFinite(want)) return got === want;
  return Math.abs(got - want) <= atol + rtol * Math.abs(want);
}
