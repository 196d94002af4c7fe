/**
 * Bodies that repeat the options and shapes of earlier ones, of which the second one's loss is kept: PyTorch's cases with other numbers,
 * each compared with the answer of another service, for which the body repeats nothing because its memory is another.
 */
import { describe, expect, it } from "vitest";
import type { Case, CaseTensor } from "../../conformance/case.ts";
import { requestOf } from "../../conformance/case.ts";
import { fileRequestOf, tensor, writeTestFile } from "../../conformance/files.ts";
import { base64, flat } from "../../conformance/forms.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import { readCases } from "../../conformance/read-cases.ts";
import { useService } from "../../support/service.ts";

const service = useService();
const other = useService();

const CASES = [
  "torch-cases.jsonl",
  "torch2-cases.jsonl",
  "torch2-options.jsonl",
  "kl-div-cases.jsonl",
  "gather-cases.jsonl",
].flatMap(readCases);

/** The same case with the elements of every tensor in reverse. */
function reversed(test: Case): Case {
  const entries = Object.entries(test).map(([name, value]) => [
    name,
    isTensor(value) && name !== "expect" ? { ...value, data: value.data.toReversed() } : value,
  ]);
  return Object.fromEntries(entries) as Case;
}

function isTensor(value: unknown): value is CaseTensor {
  return typeof value === "object" && value !== null && "data" in value;
}

const HEADERS = { "x-request-id": "repeats" };

type Asked = typeof service;

const ask = async (path: string, body: object, asked: Asked = service): Promise<[number, string]> => {
  const { status, text } = await asked().post(path, body, HEADERS);
  return [status, text];
};

/** Ways of asking a case's question. */
const WAYS: Record<string, (test: Case, asked: Asked) => Promise<[number, string]>> = {
  flat: (test, asked) => ask(`/v1/${test.op}`, requestOf(test, flat), asked),
  base64: (test, asked) => ask(`/v1/${test.op}`, requestOf(test, base64), asked),
  inference: (test, asked) => askInference(test, asked, false),
  "binary inference": (test, asked) => askInference(test, asked, true),
  file: (test, asked) => askWithFile(test, asked, FILE_TYPE),
  "file with a response in JSON": (test, asked) => askWithFile(test, asked, "application/json"),
};

async function askInference(test: Case, asked: Asked, binary: boolean): Promise<[number, string]> {
  const { headers, body } = inferenceCall(requestOf(test, flat), binary);
  const path = `/v2/models/${test.op}/infer`;
  const { status, bytes } = await asked().send("POST", path, body, { ...headers, ...HEADERS });
  return [status, bytes.toString("latin1")];
}

const FILE_TYPE = "application/vnd.safetensors";

async function askWithFile(test: Case, asked: Asked, accept: string): Promise<[number, string]> {
  const headers = { "content-type": FILE_TYPE, accept, ...HEADERS };
  const { path, body } = fileRequestOf(test);
  const { status, bytes } = await asked().send("POST", path, body, headers);
  return [status, bytes.toString("latin1")];
}

describe.each(Object.entries(WAYS))("a repeated %s body", (name, way) => {
  it.each(["log_softmax", "nll_loss", "cross_entropy", "kl_div"] as const)(
    "has the answer of a service that never saw its like, for the cases of %s",
    async (op) => {
      // The others differ only in how a body is read.
      const step = name === "flat" ? 1 : 3;
      const cases = CASES.filter((test) => test.op === op).filter((_, at) => at % step === 0);
      expect(cases.length).toBeGreaterThan(90 / step);
      for (const test of cases) {
        const answer = await way(test, service);
        expect(await way(test, service), test.id).toEqual(answer);
        const repeated = await way(reversed(test), service);
        expect(repeated, test.id).toEqual(await way(reversed(test), other));
        expect(await way(test, service), test.id).toEqual(answer);
      }
    },
    60_000,
  );
});

describe("a file with the header of an earlier one", () => {
  const CE = "/v1/cross_entropy";
  const headers = { "content-type": FILE_TYPE, accept: "application/json" };
  const file = (logit: number): Buffer =>
    writeTestFile({
      input: tensor("float32", [1, 2], (at) => logit * at),
      target: tensor("int64", [1], () => 1),
    });

  it("has its own options in the query string", async () => {
    for (const [query, member] of [
      ["", "loss"],
      ["?reduction=none", "losses"],
      ["", "loss"],
      ["?reduction=none", "losses"],
      ["", "loss"],
      ["?reduction=none", "losses"],
    ] as const) {
      const { json } = await service().send("POST", `${CE}${query}`, file(1), headers);
      expect(Object.keys(json)).toEqual([member, "total_weight"].toSorted());
    }
  });

  it("has its own format of the response, and is refused with its own length", async () => {
    for (let round = 0; round < 4; round++) {
      expect((await service().send("POST", CE, file(1), headers)).json.loss).toBeCloseTo(0.3132617, 6);
      const asFile = await service().send("POST", CE, file(1), { ...headers, accept: FILE_TYPE });
      expect(asFile.headers["content-type"]).toBe(FILE_TYPE);
      for (const body of [file(1).subarray(0, -1), Buffer.concat([file(1), Buffer.alloc(1)])]) {
        const { status, json } = await service().send("POST", CE, body, headers);
        expect([status, json.code]).toEqual([400, "malformed_safetensors"]);
      }
    }
  });

  it("is refused at its own element", async () => {
    const body = writeTestFile({
      input: tensor("float32", [1, 2], () => 0),
      target: tensor("int64", [1], () => 2),
    });
    for (let round = 0; round < 4; round++) {
      expect((await service().send("POST", CE, file(round), headers)).status).toBe(200);
      const { status, json } = await service().send("POST", CE, body, headers);
      expect([status, json.errors[0].pointer]).toEqual([422, "/target/0"]);
    }
  });
});

it("an inference without bytes is repeated with and without the header of its JSON's length", async () => {
  const none = (name: string, datatype: string, shape: number[]) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: 0 },
  });
  const body = JSON.stringify({
    inputs: [none("input", "FP32", [0, 3]), none("target", "INT64", [0])],
    parameters: { reduction: "sum" },
  });
  const length = { "inference-header-content-length": String(body.length) };
  for (const headers of [{}, {}, length, {}, length, length]) {
    const path = "/v2/models/cross_entropy/infer";
    const { status, json } = await service().send("POST", path, body, headers);
    expect(status).toBe(200);
    expect(json.outputs.find(({ name }: { name: string }) => name === "loss").data).toEqual([0]);
  }
});

describe("a body with the text of an earlier one", () => {
  const input = { dtype: "float32", shape: [2, 2], data: [0.5, -1, 2, 0.25] };

  it("has its own shape", async () => {
    const rows = (n: number) => ({
      input: Array.from({ length: n }, () => [0, 0]),
      target: new Array(n).fill(1),
    });
    for (const n of [2, 3, 1, 3, 2, 70, 2]) {
      const { json } = await service().post("/v1/cross_entropy", { ...rows(n), reduction: "sum" });
      expect(json.total_weight).toBe(n);
    }
  });

  it("has its own shape of as many numbers", async () => {
    const shapes = [
      [2, 3],
      [3, 2],
      [1, 6],
    ] as const;
    for (let round = 0; round < 4; round++) {
      for (const [rows, classes] of shapes) {
        const input = Array.from({ length: rows }, () => new Array(classes).fill(1));
        const { json } = await service().post("/v1/log_softmax", { input, dim: 1 });
        expect(json.output).toHaveLength(rows);
        expect(json.output[0][0]).toBeCloseTo(-Math.log(classes), 6);
      }
    }
  });

  it("has its own operation", async () => {
    const body = { input: [[-0.5, -1]], target: [1] };
    for (let round = 0; round < 4; round++) {
      expect((await service().post("/v1/nll_loss", body)).json.loss).toBe(1);
      expect((await service().post("/v1/cross_entropy", body)).json.loss).toBeCloseTo(0.9740769, 6);
    }
  });

  it("has its own numbers, also a bare one", async () => {
    const answers: number[] = [];
    for (const target of [0, 1, 0, 1, 0, 1]) {
      const { json } = await service().post("/v1/cross_entropy", { input: [3, 0], target });
      answers.push(json.loss);
    }
    expect(answers.slice(4)).toEqual(answers.slice(0, 2));
    expect(answers[1]! - answers[0]!).toBeCloseTo(3, 5);
  });

  it("has its own format of the response", async () => {
    const accept = { accept: "application/vnd.safetensors" };
    for (let round = 0; round < 4; round++) {
      expect((await service().post("/v1/log_softmax", { input, dim: 1 })).json.output.dtype).toBe("float32");
      const file = await service().post("/v1/log_softmax", { input, dim: 1 }, accept);
      expect(file.headers["content-type"]).toBe("application/vnd.safetensors");
      const flat = { input, dim: 1, format: "flat" };
      expect((await service().post("/v1/log_softmax", flat)).status).toBe(200);
      const refused = await service().post("/v1/log_softmax", flat, accept);
      expect([refused.status, refused.json.code]).toEqual([422, "option_without_effect"]);
    }
  });

  it("is refused at its own element", async () => {
    const body = (target: number[]) => ({
      input: [
        [0, 1],
        [1, 0],
      ],
      target,
    });
    for (const [target, pointer] of [
      [[0, 2], "/target/1"],
      [[5, 0], "/target/0"],
      [[0, 0.5], "/target/1"],
    ] as const) {
      expect((await service().post("/v1/cross_entropy", body([1, 0]))).status).toBe(200);
      const { status, json } = await service().post("/v1/cross_entropy", body([...target]));
      expect([status, json.errors[0].pointer]).toEqual([422, pointer]);
      // The refused run stopped in the middle, so nothing of it may be left.
      expect(await ask("/v1/cross_entropy", body([0, 1]))).toEqual(
        await ask("/v1/cross_entropy", body([0, 1]), other),
      );
    }
  });

  it("has its own warning, once", async () => {
    for (const target of [[-100], [0], [-100], [-100]]) {
      const { json } = await service().post("/v1/cross_entropy", { input: [[0, 1]], target });
      expect(json.warnings?.length ?? 0).toBe(target[0] === 0 ? 0 : 1);
    }
  });

  it("has its own numbers beside long ones that run in slices at the same time", async () => {
    const rows = 300;
    const classes = 1000;
    const body = (seed: number) => ({
      input: Array.from({ length: rows }, (_, row) =>
        Array.from({ length: classes }, (_, column) => ((row * 31 + column * 17 + seed * 7) % 41) / 8),
      ),
      target: Array.from({ length: rows }, (_, row) => (row * 13 + seed) % classes),
      temperature: 2,
    });
    const answers = [];
    for (const seed of [1, 2, 3, 4]) answers.push(await ask("/v1/cross_entropy", body(seed), other));
    const asked = [1, 2, 3, 4].map((seed) => ask("/v1/cross_entropy", body(seed)));
    expect(await Promise.all(asked)).toEqual(answers);
    expect(new Set(answers.map(([, text]) => text)).size).toBe(4);
  });

  it("is answered by the memory of its own service", async () => {
    const body = { input: [[0, 1, 2]], target: [1] };
    const answer = await ask("/v1/cross_entropy", body);
    expect(await ask("/v1/cross_entropy", body, other)).toEqual(answer);
    const { json } = await other().post("/v1/cross_entropy", { ...body, target: [2] });
    expect(json.loss).not.toBe(JSON.parse(answer[1]).loss);
    expect(await ask("/v1/cross_entropy", body)).toEqual(answer);
  });
});
