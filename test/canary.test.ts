/**
 * No answer depends on memory that its own request has not written: every range that is taken, and the shared buffers of reader and printer,
 * are filled with a pattern first. The same requests run under two patterns and have to get the same bytes.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CaseTensor } from "./conformance/case.ts";
import { requestOf } from "./conformance/case.ts";
import { fileTensor, writeTestFile } from "./conformance/files.ts";
import { base64, flat, nested } from "./conformance/forms.ts";
import { inferenceCall } from "./conformance/inference.ts";
import { readCases } from "./conformance/read-cases.ts";
import type { Answer, Service } from "./support/service.ts";
import { startService } from "./support/service.ts";

const MiB = 1024 * 1024;
/** As float32 -6328.721 and 7.8e-4, as bytes 197 and 58: no answer of these requests has them by itself in every place. */
const PATTERNS = [0xc5, 0x3a];

/** A request as it goes over the wire. */
interface Sent {
  readonly title: string;
  readonly path: string;
  readonly body: string | Buffer;
  readonly headers: Record<string, string>;
}

type Fields = Readonly<Record<string, unknown>>;

const isTensor = (value: unknown): value is CaseTensor =>
  typeof value === "object" && value !== null && "shape" in value;

const BESIDE = ["sample_weight", "target_weight", "index", "grad_lse", "grad_entropy"];
/** The names of tensors in every order in which a stream can get them. */
const ORDERS = [
  ["target", "weight", ...BESIDE, "grad_output", "input"],
  ["target", ...BESIDE, "grad_output", "input", "weight"],
  ["input", "target", "weight", ...BESIDE, "grad_output"],
];

/** The same request in every format, and in every stream order for answers in both formats. */
function everyFormat(title: string, path: string, fields: Fields): Sent[] {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const write = (form: string, tensor: (value: CaseTensor) => unknown): Sent => ({
    title: `${title} as ${form}`,
    path,
    body: JSON.stringify(
      Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [key, isTensor(value) ? tensor(value) : value]),
      ),
    ),
    headers: { "content-type": "application/json" },
  });
  const tensors = Object.entries(fields).filter(([, value]) => isTensor(value)) as [string, CaseTensor][];
  const options = Object.entries(fields).filter(([, value]) => !isTensor(value) && value !== null);
  const metadata = Object.fromEntries(options.map(([key, value]) => [key, String(value)]));
  const files = ORDERS.flatMap((order) =>
    ["application/json", "application/vnd.safetensors"].map((accept): Sent => {
      const sorted = tensors.toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b));
      const body = writeTestFile(Object.fromEntries(sorted.map(([key, value]) => [key, fileTensor(value)])), {
        metadata,
        asTheyStand: true,
      });
      const headers = { "content-type": "application/vnd.safetensors", accept };
      return { title: `${title} as a file of ${order} for ${accept}`, path, body, headers };
    }),
  );
  const inference = [false, true].map(
    (binary): Sent => ({
      title: `${title} as inference, ${binary ? "bytes" : "JSON"}`,
      path: `/v2/models/${name}/infer`,
      ...inferenceCall(fields, binary),
    }),
  );
  return [write("flat", flat), write("base64", base64), write("nested", nested), ...files, ...inference];
}

const DTYPES = new Set(["float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8"]);

/** Every `step`th request, from another one on for each list, so that all formats get their turn. */
function rotated(lists: readonly (readonly Sent[])[], step: number): Sent[] {
  return lists.flatMap((list, turn) => list.filter((_, at) => (at + turn) % step === 0));
}

/** The recorded cases that the formats can all carry, those of the contract in half of the formats each, the random and the planned ones in fewer. */
function recorded(): Sent[] {
  const listsOf = (file: string): Sent[][] =>
    readCases(file).flatMap((test): Sent[][] => {
      const fields = requestOf(test, (tensor) => tensor);
      const isCarried = Object.values(fields).every((value) => !isTensor(value) || DTYPES.has(value.dtype));
      return isCarried ? [everyFormat(test.id, `/v1/${test.op}`, fields)] : [];
    });
  const planned = ["torch2-cases.jsonl", "torch2-grid.jsonl", "gather-cases.jsonl"].flatMap(listsOf);
  const more = ["torch2-options.jsonl", "kl-div-cases.jsonl"].flatMap(listsOf);
  return [...rotated(listsOf("torch-cases.jsonl"), 2), ...rotated(planned, 5), ...rotated(more, 8)];
}

/** Every pair of an input's and a target's shape among these, so that all ranks and sizes of 0 and 1 meet. */
const SHAPES: readonly (readonly number[])[] = [
  [],
  [0],
  [1],
  [3],
  [0, 0],
  [0, 3],
  [1, 3],
  [2, 0],
  [2, 3],
  [0, 3, 2],
  [2, 3, 0],
  [2, 0, 2],
  [2, 3, 2],
  [2, 2],
  [0, 3, 0, 2],
  [2, 3, 2, 2],
  [2, 2, 2],
  [2, 3, 1, 2, 2],
];

const filled = (dtype: string, shape: readonly number[], value: number): CaseTensor => ({
  dtype,
  shape: [...shape],
  data: Array<number>(shape.reduce((product, size) => product * size, 1)).fill(value),
});

function crossed(): Sent[] {
  const requests: Sent[][] = [];
  for (const input of SHAPES) {
    const logits = { input: filled("float32", input, -0.5) };
    for (const options of [{ dim: 0 }, { dtype: "float64" }, { dim: -1, return_grad: true }]) {
      const grad = "return_grad" in options ? { grad_output: filled("float32", input, 1) } : {};
      requests.push(
        everyFormat(`log_softmax [${input}]`, "/v1/log_softmax", { ...logits, ...grad, ...options }),
      );
    }
    for (const shape of SHAPES) {
      for (const reduction of ["none", "mean"]) {
        const operands = { ...logits, target: filled("int64", shape, 0), reduction };
        const weight = { weight: filled("float32", [input[1] ?? input[0] ?? 0], 2) };
        const grad = {
          return_grad: true,
          grad_output: filled("float32", reduction === "none" ? shape : [], 1),
        };
        const title = `[${input}] with target [${shape}], ${reduction}`;
        const terms = {
          sample_weight: filled("float64", input.toSpliced(1, 1), 2),
          lse_square_scale: 0.5,
          return_z_loss: true,
          dtype: "float64",
        };
        const ignored = { ...operands, target: filled("int64", shape, -100) };
        requests.push(
          everyFormat(`${title}, sparse`, "/v1/cross_entropy", {
            ...ignored,
            ...terms,
            ...(reduction === "none" ? {} : { return_grad: true }),
            target_weight: filled("float32", shape, 1),
            return_grad_target_weight: reduction !== "none",
          }),
          everyFormat(`${title}, shifted`, "/v1/cross_entropy", {
            ...operands,
            dim: -1,
            shift: 1,
            softcap: 2,
            return_predictions: true,
            return_correct: true,
          }),
        );
        requests.push(everyFormat(title, "/v1/nll_loss", operands));
        requests.push(everyFormat(`${title}, weighted`, "/v1/cross_entropy", { ...operands, ...weight }));
        requests.push(
          everyFormat(`${title}, smooth, with gradient`, "/v1/cross_entropy", {
            ...operands,
            ...grad,
            label_smoothing: 0.25,
          }),
        );
      }
    }
    const probabilities = { ...logits, target: filled("float32", input, 0.5), reduction: "none" };
    requests.push(everyFormat(`probabilities [${input}]`, "/v1/cross_entropy", probabilities));
  }
  return rotated(requests, 3);
}

/** Answers longer than a page, and bodies longer than a window. */
function long(): Sent[] {
  const wide = filled("float32", [300, 700], -1.25);
  const half = filled("bfloat16", [50, 701], 0.3);
  return [
    ...everyFormat("log_softmax [300, 700]", "/v1/log_softmax", { input: wide, dim: 1 }),
    ...everyFormat("log_softmax [50, 701] to float64", "/v1/log_softmax", {
      input: half,
      dim: 1,
      dtype: "float64",
    }),
    ...everyFormat("cross_entropy [300, 700] with gradient", "/v1/cross_entropy", {
      input: wide,
      target: filled("int64", [300], 5),
      return_grad: true,
    }),
  ];
}

describe.each([
  ["the recorded cases", recorded],
  ["all pairs of shapes of ranks 0 to 5 with sizes of 0 and 1", crossed],
  ["answers over a page", long],
])("under two patterns in all memory, %s", (_name, requests) => {
  const services: Service[] = [];
  let takes = 0;
  beforeAll(async () => {
    for (const pattern of PATTERNS) {
      services.push(
        await startService({
          memoryBudget: 64 * MiB,
          onTake: ({ u8, exports }, start, end) => {
            takes++;
            u8.fill(pattern, start, end);
            u8.fill(pattern, exports.inputAt, exports.inputAt + exports.inputBytes);
            u8.fill(pattern, exports.outputAt, exports.outputAt + exports.outputBytes);
          },
        }),
      );
    }
  });
  afterAll(() => Promise.all(services.map((service) => service.close())));

  it("get the same answers, bit for bit, in every format and stream order", async () => {
    const all = requests();
    const differing: string[] = [];
    let answered = 0;
    const LANES = 4;
    const ask = async (lane: number): Promise<void> => {
      for (let at = lane; at < all.length; at += LANES) {
        const { title, path, body, headers } = all[at]!;
        const [first, second] = (await Promise.all(
          services.map((service) =>
            service.send("POST", path, body, { ...headers, "x-request-id": "canary" }),
          ),
        )) as [Answer, Answer];
        if (first.status === 200) answered++;
        const isSame = first.status === second.status && first.bytes.equals(second.bytes);
        if (!isSame || first.status >= 500) differing.push(`${title}: ${first.status}, ${second.status}`);
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, lane) => ask(lane)));
    expect(differing).toEqual([]);
    expect(answered).toBeGreaterThan(all.length / 20);
    expect(takes).toBeGreaterThanOrEqual(2 * answered);
  }, 300_000);
});
