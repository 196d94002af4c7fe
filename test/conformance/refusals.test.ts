/**
 * Every call of torch2-refusals.jsonl asked of the library: accepted or refused as by PyTorch, the same fault first, in PyTorch's words; and one
 * refusal of each message through every door of the service.
 */
import { describe, expect, it } from "vitest";
import { useService } from "../support/service.ts";
import { close } from "./case.ts";
import type { FileTensor } from "./files.ts";
import { fileTensor, writeTestFile } from "./files.ts";
import { inferenceCall } from "./inference.ts";
import type { Call, Outcome } from "./refusals.ts";
import { askLibrary, nameOf, numbersFor, readCalls } from "./refusals.ts";

/** Tolerances of PyTorch's own arithmetic, by the less exact dtype of input and output. */
const TOLERANCES: readonly (readonly [string, { rtol: number; atol: number }])[] = [
  ["bfloat16", { rtol: 2.4e-2, atol: 1.6e-2 }],
  ["float16", { rtol: 4e-3, atol: 2e-3 }],
  ["float32", { rtol: 2e-6, atol: 1e-5 }],
  // The file has 9 digits.
  ["float64", { rtol: 1e-8, atol: 1e-9 }],
];

/** Where lossd refuses a call, or says it, otherwise than PyTorch 2.15 on purpose; each has to occur. */
const DELIBERATE: Readonly<Record<string, (call: Call, torch: Outcome, ours: Outcome) => boolean>> = {
  "a 1-D input takes a 0-dim target only, PyTorch also one of shape (1)": ({ op, input, target }, _, ours) =>
    op !== "log_softmax" &&
    input[1].length === 1 &&
    target!.join() === `${target![0]},1` &&
    !!ours.refused?.startsWith("Expected target to be 0D when input is 1D, but got target.dim=1"),
  "PyTorch says 'ArrayRef: invalid slice' of a 0-dim target beside a batch of 0": (_, torch, ours) =>
    !!torch.refused?.startsWith("ArrayRef: invalid slice") &&
    !!ours.refused?.startsWith("Expected target size [0, "),
  "PyTorch finds an integer output only when its gradient is asked for, if it is empty": (
    { dtype },
    torch,
    ours,
  ) =>
    dtype === "int64" &&
    torch.refused !== undefined &&
    !!ours.refused?.includes("not implemented for 'Long'"),
  "smoothed probabilities are not rounded to the target's dtype": (
    { op, input, target, label_smoothing },
    torch,
    ours,
  ) =>
    op === "cross_entropy" &&
    label_smoothing === 0.25 &&
    target!.join() !== input.join() &&
    target![1].join() === input[1].join() &&
    torch.data !== undefined &&
    ours.data !== undefined,
};

const calls = readCalls();

/** Whether the target holds class indices of a dtype that PyTorch takes for some shapes or none. */
function takesIndices({ op, input, target }: Call): boolean {
  return (
    op !== "log_softmax" &&
    target !== undefined &&
    (op === "nll_loss" || target[1].join() !== input[1].join())
  );
}

/** PyTorch's answer; int32 and uint8 class indices are taken as int64 is, for every shape. */
function expectedOf(call: Call, torch: Outcome): Outcome {
  if (!takesIndices(call) || !["int32", "uint8"].includes(call.target![0])) return torch;
  const twin = calls.get(nameOf({ ...call, target: ["int64", call.target![1]] }));
  if (twin === undefined) throw new Error(`no call with int64 beside ${nameOf(call)}`);
  return twin.torch;
}

/** PyTorch leaves the closing bracket of one sentence away. */
function wordsOf(refused: string): string {
  return refused.replace(/\.$/, "").replace(/^(size mismatch \(got input: .*\]) ,/, "$1,");
}

/** The difference between two outcomes, if there is one. */
function difference(call: Call, torch: Outcome, ours: Outcome): string | undefined {
  if (torch.refused !== undefined || ours.refused !== undefined) {
    const isSame = torch.refused !== undefined && ours.refused?.includes(wordsOf(torch.refused));
    return isSame
      ? undefined
      : `PyTorch: ${torch.refused ?? "accepted"}; lossd: ${ours.refused ?? "accepted"}`;
  }
  if (ours.output === "[]" ? !torch.output!.endsWith("[]") : ours.output !== torch.output)
    return `${ours.output}, expected ${torch.output}`;
  const names = [torch.output!, call.input[0], call.dtype ?? ""].join();
  const tolerance = TOLERANCES.find(([dtype]) => names.includes(dtype))?.[1] ?? { rtol: 0, atol: 0 };
  for (const member of ["data", "grad_input", "grad_target"] as const) {
    const [got, want] = [ours[member], torch[member]];
    if (got?.length !== want?.length) return `${got?.length} numbers of ${member}, expected ${want?.length}`;
    const at = want?.findIndex((value, at) => !close(Number(got![at]), Number(value), tolerance)) ?? -1;
    if (at >= 0) return `${member}[${at}] is ${got![at]}, expected ${want![at]}`;
  }
  return undefined;
}

it("answers and refuses all calls of the grid as PyTorch 2.15 does: ranks 0 to 5, single faults and pairs", () => {
  const differences: string[] = [];
  const occurred = new Set<string>();
  for (const [name, { call, torch }] of calls) {
    const expected = expectedOf(call, torch);
    const ours = askLibrary(call);
    const found = difference(call, expected, ours);
    if (found === undefined) continue;
    const [reason] = Object.entries(DELIBERATE).find(([, covers]) => covers(call, expected, ours)) ?? [];
    if (reason === undefined) differences.push(`${name}: ${found}`);
    else occurred.add(reason);
  }
  expect(differences.slice(0, 20)).toEqual([]);
  expect([...occurred].sort()).toEqual(Object.keys(DELIBERATE).sort());
}, 60_000);

describe("through the service", () => {
  const service = useService();
  const byMessage = new Map<string, Call>();
  for (const { call, torch } of calls.values()) {
    const { reduction, op } = call;
    const kind = `${op} ${reduction ?? "mean"} ${torch.refused}`;
    if (torch.refused !== undefined && !byMessage.has(kind)) byMessage.set(kind, call);
  }

  /** The fields of a request, its tensors as `write` gives them. */
  function fieldsOf(
    call: Call,
    write: (tensor: { dtype: string; shape: number[]; data: number[] }) => unknown,
  ) {
    const { op: _op, outside: _outside, ...fields } = call as Call & Record<string, unknown>;
    for (const role of ["input", "target", "weight", "grad_output"] as const) {
      const operand = call[role];
      if (operand !== undefined)
        (fields as Record<string, unknown>)[role] = write({
          dtype: operand[0],
          shape: [...operand[1]],
          data: numbersFor(role, call),
        });
    }
    return fields as Record<string, unknown>;
  }

  const doors: Record<string, (call: Call) => Promise<{ status: number; text: string }>> = {
    JSON: (call) =>
      service().post(
        `/v1/${call.op}`,
        fieldsOf(call, (tensor) => tensor),
      ),
    safetensors: (call) => {
      const tensors: Record<string, FileTensor> = {};
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(fieldsOf(call, fileTensor))) {
        if (typeof value === "object") tensors[name] = value as FileTensor;
        else query.set(name, String(value));
      }
      return service().send("POST", `/v1/${call.op}?${query}`, writeTestFile(tensors), {
        "content-type": "application/vnd.safetensors",
      });
    },
    "/v2": (call) => {
      const { headers, body } = inferenceCall(
        fieldsOf(call, (tensor) => tensor),
        false,
      );
      return service().send("POST", `/v2/models/${call.op}/infer`, body, headers);
    },
  };

  it.each(Object.keys(doors))(
    "refuses one call for each of PyTorch's messages in the library's words: %s",
    async (door) => {
      const wrong: string[] = [];
      for (const call of byMessage.values()) {
        const { refused } = askLibrary(call);
        if (refused === undefined) continue;
        const { status, text } = await doors[door]!(call);
        const words = JSON.stringify(refused).slice(1, -1);
        if (status < 400 || status >= 500 || !text.includes(words))
          wrong.push(`${nameOf(call)}: ${status} ${text}, expected ${words}`);
      }
      expect(byMessage.size).toBeGreaterThan(200);
      expect(wrong.slice(0, 10)).toEqual([]);
    },
    60_000,
  );
});
