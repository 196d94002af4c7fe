/** Test requests of `lossd check` with PyTorch's results. */
import { readHeader, readHeaderLength, writeHeader } from "../wire/safetensors/header.ts";
import type { Client, ClientResponse } from "./check-client.ts";
import { FatalCheckError } from "./check-client.ts";
import { escapeText } from "./escape.ts";

/** One test request with its expected response. */
export interface ServerCheck {
  readonly title: string;
  /** Throws an error with the expected and the received value. */
  run(client: Client): Promise<void>;
}

/** Relative tolerance for float32 values. */
const TOLERANCE = 1e-6;

const LOGITS = [
  [2, 1, 0, -1, 0.5],
  [0.25, 0.5, -0.5, 1, -1],
  [1, 0.75, -0.25, 0, 2],
];
const TARGET = [1, 0, 4];
const LOSS = 1.2848786115646362;
const GRADIENT = [
  [
    0.18767374753952026, -0.26429203152656555, 0.02539888024330139, 0.009343726560473442,
    0.041875675320625305,
  ],
  [
    -0.26873257756233215, 0.08294904232025146, 0.030515246093273163, 0.13675984740257263,
    0.018508432433009148,
  ],
  [0.06470648944377899, 0.05039346218109131, 0.018538720905780792, 0.023804187774658203, -0.1574428677558899],
];

/** Checks in the order in which they run. */
export const CHECKS: readonly ServerCheck[] = [
  {
    title: "it is ready",
    run: async (client) => {
      expectSame((await client.get("health/ready")).status, 200, "status");
    },
  },
  {
    title: "it is lossd, with a contract",
    run: async (client) => {
      const response = await client.get("openapi.json");
      if (![200, 404].includes(response.status)) expectSame(response.status, 200, "status");
      expectLossd(response);
    },
  },
  {
    title: "cross_entropy of 3x5 with its gradient",
    run: async (client) => {
      const body = { input: LOGITS, target: TARGET, return_grad: true };
      const response = await client.post("v1/cross_entropy", body);
      expectSame(response, { loss: LOSS, total_weight: 3, grad_input: GRADIENT });
    },
  },
  {
    title: "nll_loss with weights and reduction none",
    run: async (client) => {
      const body = {
        input: [
          [-0.5, -1.5],
          [-2, -0.25],
        ],
        target: [0, 1],
        weight: [1, 3],
        reduction: "none",
      };
      expectSame(await client.post("v1/nll_loss", body), { losses: [0.5, 0.75], total_weight: 4 });
    },
  },
  {
    title: "log_softmax with an entry of -inf",
    run: async (client) => {
      const body = {
        input: [
          [0, 0],
          [1, "-Infinity"],
        ],
        dim: 1,
      };
      const output = [
        [-Math.LN2, -Math.LN2],
        [0, "-Infinity"],
      ];
      expectSame(await client.post("v1/log_softmax", body), { output });
    },
  },
  {
    title: "the mean over no elements is NaN",
    run: async (client) => {
      const body = { input: [[1, 2]], target: [-100] };
      const { loss, total_weight } = await client.post("v1/cross_entropy", body);
      expectSame({ loss, total_weight }, { loss: "NaN", total_weight: 0 });
    },
  },
  {
    title: "an error names its field",
    run: async (client) => {
      const { status, json } = await client.send("v1/nll_loss", { input: [[0, 0]], target: [2] });
      expectSame(status, 422, "status");
      const { code, errors } = json();
      expectSame(
        { code, pointer: errors?.[0]?.pointer },
        { code: "target_out_of_bounds", pointer: "/target/0" },
      );
    },
  },
  {
    title: "safetensors, both ways",
    run: async (client) => {
      const header = writeHeader(
        [
          { name: "target", dtype: "int64", shape: [3] },
          { name: "input", dtype: "float32", shape: [3, 5] },
        ],
        {},
      );
      const data = [BigInt64Array.from(TARGET, BigInt).buffer, Float32Array.from(LOGITS.flat()).buffer];
      const file = Buffer.concat([header, ...data.map((part) => Buffer.from(part))]);
      const { status, bytes } = await client.sendFile("v1/cross_entropy?return_grad=true", file);
      expectSame(status, 200, "status");
      expectSame(numbersOf(bytes, "loss"), [LOSS]);
      expectSame(numbersOf(bytes, "grad_input"), GRADIENT.flat());
    },
  },
  {
    title: "the Open Inference Protocol",
    run: async (client) => {
      const model = (await client.get("v2/models/cross_entropy")).json();
      expectSame(model.name, "cross_entropy", "name");
      const inputs = [
        { name: "input", datatype: "FP32", shape: [3, 5], data: LOGITS.flat() },
        { name: "target", datatype: "INT64", shape: [3], data: TARGET },
      ];
      const { outputs } = await client.post("v2/models/cross_entropy/infer", {
        inputs,
        outputs: [{ name: "loss" }],
      });
      expectSame(outputs[0].data, [LOSS]);
    },
  },
  {
    title: "a request keeps its id",
    run: async (client) => {
      const { headers } = await client.get("health/ready", { "x-request-id": "lossd-check" });
      expectSame(headers["x-request-id"], "lossd-check", "x-request-id");
    },
  },
];

/** Reads a float32 tensor from a safetensors file. */
function numbersOf(file: Buffer, name: string): number[] {
  const begin = 8 + readHeaderLength(file.subarray(0, 8), file.length);
  const { entries } = readHeader(file.subarray(8, begin), file.length - begin);
  const entry = entries.find((other) => other.name === name);
  if (entry === undefined)
    throw new Error(`expected a tensor ${name}, got ${entries.map((e) => e.name).join(", ")}`);
  const bytes = file.subarray(begin + entry.begin, begin + entry.end);
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
}

/** Rejects another server at once because all later checks would fail for the same reason. */
function expectLossd({ status, json }: ClientResponse): void {
  try {
    const { info, openapi } = json();
    if (status === 200 && info.title === "lossd" && String(openapi).startsWith("3.")) return;
  } catch {
    // Not JSON, or not lossd's document.
  }
  throw new FatalCheckError(`this is not lossd: expected its contract at openapi.json, got status ${status}`);
}

function expectSame(got: unknown, expected: unknown, subject = "the response"): void {
  const found = difference(got, expected, "");
  if (found === undefined) return;
  const place = found.place === "" ? subject : `${subject}, ${found.place}`;
  throw new Error(`${place}: expected ${brief(found.expected)}, got ${brief(found.got)}`);
}

const brief = (value: unknown): string => escapeText(String(JSON.stringify(value)), 120);

interface Difference {
  /** A JSON pointer. */
  readonly place: string;
  readonly got: unknown;
  readonly expected: unknown;
}

/** Finds the first place where two values differ. Numbers within {@link TOLERANCE} are equal. */
function difference(got: unknown, expected: unknown, place: string): Difference | undefined {
  if (typeof expected === "number" && typeof got === "number") {
    const isNear = Math.abs(got - expected) <= TOLERANCE * Math.max(1, Math.abs(expected));
    return isNear ? undefined : { place, got, expected };
  }
  if (typeof expected !== "object" || expected === null || typeof got !== "object" || got === null)
    return got === expected ? undefined : { place, got, expected };
  const names = Object.keys(expected);
  if (Object.keys(got).length !== names.length) return { place, got, expected };
  for (const name of names) {
    const [mine, theirs] = [got, expected].map((value) => (value as Record<string, unknown>)[name]);
    const found = difference(mine, theirs, `${place}/${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
