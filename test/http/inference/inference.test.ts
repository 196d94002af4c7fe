/** The Open Inference Protocol v2: what its clients send, what its specification shows, and what is refused. */
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { elementsOf } from "../../conformance/forms.ts";
import { inferenceCall, outputsOf } from "../../conformance/inference.ts";
import { integers } from "../../support/random.ts";
import type { Answer } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import { exchange, statusesOf } from "../../support/socket.ts";

const service = useService();
const run = promisify(execFile);
const CE = "/v2/models/cross_entropy";
const INPUT = { name: "input", shape: [2, 3], datatype: "FP32", data: [0.5, -0.5, 1, 2, 0, 1] };
const TARGET = { name: "target", shape: [2], datatype: "INT64", data: [2, 0] };

interface Recorded {
  readonly title: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly json: string;
  readonly bytes: string;
  readonly outputs: Record<string, readonly number[]>;
}

const RECORDED: readonly Recorded[] = JSON.parse(
  readFileSync(new URL("tritonclient-requests.json", import.meta.url), "utf8"),
);

const infer = (body: unknown, path = `${CE}/infer`): Promise<Answer> => service().post(path, body);

describe("the server and its models", () => {
  it("GET /v2 names the server and its extensions", async () => {
    const { json } = await service().get("/v2");
    const extensions = ["binary_tensor_data", "model_configuration", "statistics"];
    expect(json).toMatchObject({ name: "lossd", extensions });
  });

  it("GET /v2/models lists the models", async () => {
    const { json } = await service().get("/v2/models");
    expect(json).toEqual({ models: ["log_softmax", "nll_loss", "cross_entropy", "kl_div"] });
    for (const name of json.models) expect((await service().get(`/v2/models/${name}`)).status).toBe(200);
  });

  it("a model's metadata say which inputs are optional: a request without those, and without no other, is taken", async () => {
    const { json } = await service().get(CE);
    const required = json.inputs.filter(
      (input: { parameters: { optional: boolean } }) => !input.parameters.optional,
    );
    expect(required.map(({ name }: { name: string }) => name)).toEqual(["input", "target"]);
    expect((await infer({ inputs: [INPUT, TARGET] })).status).toBe(200);
    expect((await infer({ inputs: [TARGET] })).status).toBe(422);
  });

  it.each([`${CE}/trace/setting`, "/v2/logging", "/v2/repository/index", "/v2/systemsharedmemory/status"])(
    "%s, of an extension that is not there, is 404 in the protocol's form",
    async (path) => {
      const answer = await service().get(path);
      expect([answer.status, Object.keys(answer.json)]).toEqual([404, ["error"]]);
    },
  );

  it("GET /v2/health/live and /ready, and a model's /ready, are 200", async () => {
    expect((await service().get("/v2/health/live")).json).toEqual({ live: true });
    expect((await service().get("/v2/health/ready")).json).toEqual({ ready: true });
    for (const path of [CE, `${CE}/versions/1`]) {
      expect((await service().get(`${path}/ready`)).json).toEqual({ name: "cross_entropy", ready: true });
    }
  });

  it.each(["log_softmax", "nll_loss", "cross_entropy", "kl_div"])(
    "%s tells its inputs, outputs and parameters",
    async (name) => {
      const { json } = await service().get(`/v2/models/${name}/versions/1`);
      expect(json).toMatchObject({ name, versions: ["1"], platform: "lossd" });
      const parameters = { optional: false, variable_rank: true };
      expect(json.inputs[0]).toEqual({ name: "input", datatype: "FP32", shape: [-1, -1], parameters });
      expect(json.parameters.return_grad).toEqual({
        type: "boolean",
        default: false,
        description: expect.stringContaining("grad_input"),
      });
      for (const { type, description } of Object.values<{ type: string; description: string }>(
        json.parameters,
      )) {
        expect(type).toMatch(/^(boolean|integer|number|string)( or (string|null))*$/);
        expect(description).not.toBe("");
      }
      // Every option that is told is taken: one at a time, as null or false, or refused for its value, not for its name.
      for (const option of Object.keys(json.parameters)) {
        const answer = await infer(
          { inputs: [INPUT, TARGET], parameters: { [option]: "x" } },
          `/v2/models/${name}/infer`,
        );
        expect(answer.json.error ?? "").not.toContain(`/${option}: unknown field`);
      }
    },
  );

  it.each(["/v2/models/mse_loss", "/v2/models/cross_entropy/versions/2", "/v2/models/mse_loss/infer"])(
    "%s is 404 in the protocol's form",
    async (path) => {
      const answer = await service().get(path);
      expect(answer.status).toBe(404);
      expect(Object.keys(answer.json)).toEqual(["error"]);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(answer.headers["x-request-id"]).toBeTruthy();
    },
  );

  it.each(["", '{"inputs":[]}'])(
    "another method, with the body '%s', is 405 with Allow, in the protocol's form",
    async (body) => {
      for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE"]) {
        const { host } = new URL(service().url);
        // A chunked body of no bytes is its end alone.
        const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
        const [length, bytes] =
          method === "DELETE"
            ? ["transfer-encoding: chunked", `${chunk}0\r\n\r\n`]
            : [`content-length: ${body.length}`, body];
        // The next request on the connection is read where this one ends.
        const next = `GET ${CE}/ready HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
        const request = `${method} ${CE}/infer HTTP/1.1\r\nhost: ${host}\r\n${length}\r\n\r\n${bytes}`;
        const text = await exchange(service(), request + next);
        expect(text, method).toMatch(/^HTTP\/1\.1 405 /);
        expect(text, method).toMatch(/\r\nallow: POST, OPTIONS\r\n/i);
        if (method !== "HEAD") expect(text, method).toContain(`infer takes POST, not ${method}"}`);
        expect(statusesOf(text), method).toEqual([405, 200]);
      }
    },
  );
});

describe("an inference", () => {
  it("answers with the model, its version, the id and every output", async () => {
    const { json } = await infer({ id: "a7", inputs: [INPUT, TARGET] });
    expect(json).toEqual({
      model_name: "cross_entropy",
      model_version: "1",
      id: "a7",
      outputs: [
        { name: "loss", shape: [], datatype: "FP32", data: [expect.closeTo(0.5058683, 6)] },
        { name: "total_weight", shape: [], datatype: "FP32", data: [2] },
      ],
    });
  });

  it("takes the path's model_name and model_version, or an empty version, and refuses others", async () => {
    const inputs = [INPUT, TARGET];
    const plain = await infer({ inputs });
    for (const path of [`${CE}/infer`, `${CE}/versions/1/infer`])
      for (const version of ["1", "", undefined])
        expect(
          (await infer({ model_name: "cross_entropy", model_version: version, inputs }, path)).json,
        ).toEqual(plain.json);
    const named = await infer({ inputs, model_name: "nll_loss" });
    expect([named.status, named.json.error]).toEqual([
      422,
      '/model_name: expected cross_entropy or none, got "nll_loss"',
    ]);
    const versioned = await infer({ inputs, model_version: "2" });
    expect([versioned.status, versioned.json.error]).toEqual([
      422,
      '/model_version: expected 1 or none, got "2"',
    ]);
  });

  it("takes MLServer's content_type on the request, its inputs and its outputs, which has no effect", async () => {
    const parameters = { content_type: "np" };
    const answer = await infer({
      parameters,
      inputs: [
        { ...INPUT, parameters },
        { ...TARGET, parameters: { content_type: "np", headers: null } },
      ],
      outputs: [{ name: "loss", parameters }],
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json.outputs).toEqual([expect.objectContaining({ name: "loss", shape: [] })]);
    const refused = await infer({ inputs: [INPUT, TARGET], parameters: { content_type: 1 } });
    expect(refused.json.error).toBe("/parameters/content_type: expected a text");
  });

  it("takes nested data and the versioned path", async () => {
    const nested = {
      ...INPUT,
      data: [
        [0.5, -0.5, 1],
        [2, 0, 1],
      ],
    };
    const [flat, lists] = [
      await infer({ inputs: [INPUT, TARGET] }),
      await infer({ inputs: [nested, TARGET] }, `${CE}/versions/1/infer`),
    ];
    expect(lists.json).toEqual(flat.json);
  });

  it("returns the outputs that are asked for, in their order, each in JSON or as bytes", async () => {
    const answer = await infer({
      inputs: [INPUT, TARGET],
      parameters: { return_grad: true, binary_data_output: true },
      outputs: [{ name: "grad_input" }, { name: "loss", parameters: { binary_data: false } }],
    });
    const json = JSON.parse(answer.text.slice(0, Number(answer.headers["inference-header-content-length"])));
    expect(
      json.outputs.map(({ name, parameters }: { name: string; parameters?: unknown }) => [name, parameters]),
    ).toEqual([
      ["grad_input", { binary_data_size: 24 }],
      ["loss", undefined],
    ]);
    expect(answer.headers["content-type"]).toBe("application/octet-stream");
    expect(answer.headers["content-length"]).toBe(String(answer.bytes.length));
    expect(Object.keys(outputsOf(answer.bytes, answer.headers))).toEqual(["grad_input", "loss"]);
  });

  it("returns all outputs where an empty list is asked for, as Triton does", async () => {
    const [some, all] = [
      await infer({ inputs: [INPUT, TARGET], outputs: [] }),
      await infer({ inputs: [INPUT, TARGET] }),
    ];
    expect(some.json).toEqual(all.json);
  });

  it("returns the outputs that there are where each one of the metadata is asked for, as perf_analyzer does", async () => {
    for (const [name, inputs, given] of [
      ["log_softmax", [INPUT], ["output"]],
      ["nll_loss", [INPUT, TARGET], ["loss", "total_weight"]],
      ["cross_entropy", [INPUT, TARGET], ["loss", "total_weight"]],
      ["kl_div", [INPUT, { ...INPUT, name: "target" }], ["loss"]],
    ] as const) {
      const path = `/v2/models/${name}`;
      const outputs = (await service().get(path)).json.outputs.map((output: { name: string }) => ({
        name: output.name,
        parameters: { binary_data: true },
      }));
      const answer = await infer({ inputs, outputs }, `${path}/infer`);
      expect(answer.status, answer.text).toBe(200);
      expect(Object.keys(outputsOf(answer.bytes, answer.headers))).toEqual(given);
      const some = await infer({ inputs, outputs: outputs.slice(1) }, `${path}/infer`);
      expect(some.json.error).toMatch(/^\/outputs\/\d\/name: with these inputs and parameters there are /);
    }
  });

  it("mixes inputs in JSON and as bytes", async () => {
    const bytes = Buffer.from(Float32Array.from(INPUT.data).buffer);
    const { data: _, ...binary } = INPUT;
    const json = JSON.stringify({
      inputs: [TARGET, { ...binary, parameters: { binary_data_size: bytes.length } }],
    });
    const answer = await service().send("POST", `${CE}/infer`, Buffer.concat([Buffer.from(json), bytes]), {
      "inference-header-content-length": String(json.length),
      "content-type": "application/octet-stream",
    });
    expect(answer.json.outputs).toEqual((await infer({ inputs: [INPUT, TARGET] })).json.outputs);
  });

  it("takes empty inputs as bytes without the header that tells the JSON's length, which KServe's SDK omits, again and again", async () => {
    const empty = (name: string, shape: number[], datatype: string) => ({
      name,
      shape,
      datatype,
      parameters: { binary_data_size: 0 },
      data: null,
    });
    const inputs = [empty("input", [0, 3], "FP32"), empty("target", [0], "INT64")];
    for (let time = 0; time < 3; time++) {
      const { status, json } = await infer({ inputs, parameters: { return_grad: true } });
      expect(status, json.error).toBe(200);
      expect(
        json.outputs.map((output: { name: string; data: unknown }) => [output.name, output.data]),
      ).toEqual([
        ["loss", ["NaN"]],
        ["total_weight", [0]],
        ["grad_input", []],
      ]);
      const mixed = await infer({ inputs: [{ ...INPUT, shape: [0, 3], data: [] }, inputs[1]] });
      expect(mixed.json.outputs[0].data).toEqual(["NaN"]);
    }
  });

  it("is strict JSON where numbers are not finite, for 16-bit floats too", async () => {
    const input = { name: "input", shape: [2], datatype: "BF16", data: [0, "-Infinity"] };
    const answer = await infer({ inputs: [input], parameters: { dim: 0 } }, "/v2/models/log_softmax/infer");
    expect(answer.json.outputs).toEqual([
      { name: "output", shape: [2], datatype: "BF16", data: [0, "-Infinity"] },
    ]);
  });

  it("has PyTorch's warnings in its parameters", async () => {
    const input = { ...INPUT, shape: [6] };
    const { json } = await infer({ inputs: [input] }, "/v2/models/log_softmax/infer");
    expect(json.parameters.warnings).toContain("Implicit dimension choice");
  });

  it("of more than a page of bytes, or of JSON, is whole", async () => {
    const data = Array.from({ length: 200_000 }, (_, at) => Math.sin(at));
    const fields = { input: { dtype: "float32", shape: [200, 1000], data }, dim: 1 };
    const answers = await Promise.all(
      [true, false].map(async (binary) => {
        const { headers, body } = inferenceCall(fields, binary);
        const answer = await service().send("POST", "/v2/models/log_softmax/infer", body, headers);
        return outputsOf(answer.bytes, answer.headers).output as { base64?: string; data?: number[] };
      }),
    );
    const [bytes, json] = answers;
    const numbers = new Float32Array(Uint8Array.from(Buffer.from(bytes!.base64!, "base64")).buffer);
    expect(Array.from(numbers)).toEqual(json!.data!.map(Math.fround));
  });
});

describe("an answer on the wire", () => {
  const data = Array.from({ length: 100_000 }, (_, at) => Math.fround(Math.sin(at)));
  const input = { name: "input", shape: [data.length], datatype: "FP32", data };
  const ask = (parameters: object, outputs?: unknown) =>
    infer(
      { inputs: [input], outputs, parameters: { dim: 0, ...parameters } },
      "/v2/models/log_softmax/infer",
    );

  it("has its length where it is short, in JSON and with bytes", async () => {
    for (const binary_data_output of [false, true]) {
      const answer = await infer({ inputs: [INPUT, TARGET], parameters: { binary_data_output } });
      expect(answer.headers["content-length"]).toBe(String(answer.bytes.length));
    }
  });

  it("tells the length of JSON too long to be kept, which bytes follow", async () => {
    const outputs = [{ name: "output", parameters: { binary_data: false } }, { name: "grad_input" }];
    const parameters = {
      return_grad: true,
      binary_data_output: true,
    };
    const go = { ...input, name: "grad_output" };
    const answer = await infer(
      { inputs: [input, go], outputs, parameters: { dim: 0, ...parameters } },
      "/v2/models/log_softmax/infer",
    );
    const length = Number(answer.headers["inference-header-content-length"]);
    expect(length).toBeGreaterThan(1_000_000);
    expect(answer.bytes.length).toBe(length + 4 * data.length);
    const parts = outputsOf(answer.bytes, answer.headers);
    const json = (await ask({})).json.outputs[0];
    expect(parts.output).toEqual({ dtype: "float32", shape: json.shape, data: json.data });
  });

  it("has nothing behind the JSON where outputs as bytes are empty", async () => {
    const empty = { name: "input", shape: [0, 3], datatype: "FP32", data: [] };
    const answer = await infer(
      { inputs: [empty], parameters: { dim: 1, binary_data_output: true } },
      "/v2/models/log_softmax/infer",
    );
    expect(answer.headers["inference-header-content-length"]).toBe(String(answer.bytes.length));
    expect(JSON.parse(answer.text).outputs).toEqual([
      { name: "output", shape: [0, 3], datatype: "FP32", parameters: { binary_data_size: 0 } },
    ]);
  });
});

describe("requests that tritonclient 2 sent (test/http/inference/tritonclient-requests.py)", () => {
  // The last digits that the dtype of the answer has.
  const TOLERANCE: Readonly<Record<string, number>> = {
    float64: 1e-12,
    float32: 1e-6,
    float16: 1e-3,
    bfloat16: 1e-2,
  };

  it.each(RECORDED.map((row) => [row.title, row] as const))("%s", async (_title, row) => {
    const body = Buffer.concat([Buffer.from(row.json), Buffer.from(row.bytes, "hex")]);
    // No Content-Type: the client sends none.
    const answer = await service().send("POST", row.path, body, row.headers);
    expect(answer.status, answer.text.slice(0, 200)).toBe(200);
    const outputs = outputsOf(answer.bytes, answer.headers);
    expect(Object.keys(outputs)).toEqual(Object.keys(row.outputs));
    for (const [name, numbers] of Object.entries(row.outputs)) {
      const { dtype } = outputs[name] as { dtype: string };
      const { data } = elementsOf(outputs[name]);
      expect(data.length).toBe(numbers.length);
      for (const [at, value] of numbers.entries())
        expect(Math.abs(data[at]! - value), name).toBeLessThanOrEqual(
          TOLERANCE[dtype]! * Math.max(1, Math.abs(value)),
        );
    }
  });
});

const hasClient = spawnSync("python3", ["-c", "import tritonclient.http"]).status === 0;

it.skipIf(!hasClient)(
  "tritonclient, unmodified, gets each operation with bytes and without (needs the Python package tritonclient[http])",
  async () => {
    const script = fileURLToPath(new URL("tritonclient-tour.py", import.meta.url));
    const { stdout } = await run("python3", [script, new URL(service().url).host]);
    expect(stdout).toContain("42 answers agree");
  },
  30_000,
);

describe("compression", () => {
  const compressing = useService({ compressResponses: true });

  // Answers in JSON are long enough; bytes are not compressed, and deflate is no coding of answers.
  it.skipIf(!hasClient).each([
    ["", service, 0],
    [" and COMPRESS_RESPONSES", compressing, 3],
  ] as const)(
    "tritonclient, unmodified, with gzip and deflate both ways%s (needs the Python package tritonclient[http])",
    async (_setting, server, compressed) => {
      const script = fileURLToPath(new URL("tritonclient-compression.py", import.meta.url));
      const { stdout } = await run("python3", [script, new URL(server().url).host]);
      expect(stdout).toBe(`18 answers agree, ${compressed} were compressed\n`);
    },
    30_000,
  );
});

describe("requests that KServe's SDK sent, in its versions 0.14 and 0.21 (test/http/inference/kserve-requests.py)", () => {
  const recorded: readonly Omit<Recorded, "path" | "outputs">[] = JSON.parse(
    readFileSync(new URL("kserve-requests.json", import.meta.url), "utf8"),
  );

  it.each(recorded.map((row) => [row.title, row] as const))(
    "%s",
    async (_title, { headers, json, bytes }) => {
      expect(JSON.parse(json).model_name).toBe("cross_entropy");
      const body = Buffer.concat([Buffer.from(json), Buffer.from(bytes, "hex")]);
      const answer = await service().send("POST", `${CE}/infer`, body, headers);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.json).toMatchObject({ model_name: "cross_entropy", model_version: "1", id: "7" });
      expect(answer.json.outputs[0].data[0]).toBeCloseTo(1.0117366, 6);
    },
  );
});

const hasKServe = spawnSync("python3", ["-c", "import kserve"]).status === 0;

it.skipIf(!hasKServe)(
  "KServe's SDK, unmodified, gets each operation with bytes and without (needs the Python package kserve)",
  async () => {
    const script = fileURLToPath(new URL("kserve-tour.py", import.meta.url));
    const { stdout } = await run("python3", [script, service().url]);
    expect(stdout).toContain("6 answers agree");
  },
  60_000,
);

describe("a refusal", () => {
  const one = (change: object): unknown => ({ inputs: [{ ...INPUT, ...change }, TARGET] });

  it.each<[string, unknown, string]>([
    ["a missing input", { inputs: [INPUT] }, "/inputs: target: required"],
    ["an input twice", { inputs: [INPUT, INPUT, TARGET] }, "/inputs/1/name"],
    ["an unknown output", { inputs: [INPUT, TARGET], outputs: [{ name: "output" }] }, "/outputs/0/name"],
    ["an unknown input", { inputs: [INPUT, TARGET, { ...TARGET, name: "labels" }] }, "/inputs/2/name"],
    ["an unknown datatype", one({ datatype: "INT8" }), "/inputs/0/datatype"],
    ["a shape that the data do not fill", one({ shape: [2, 2] }), "/inputs/0/data"],
    [
      "nested data of another shape",
      one({
        data: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      }),
      "/inputs/0/data",
    ],
    ["ragged data", one({ data: [[1, 2], [3]] }), "/inputs/0/data/1"],
    ["data that are no numbers", one({ data: [1, 2, 3, 4, 5, null] }), "/inputs/0/data/5"],
    ["no data", one({ data: undefined }), "/inputs/0"],
    ["data and bytes", one({ parameters: { binary_data_size: 24 } }), "/inputs/0"],
    [
      "bytes without their header",
      {
        inputs: [
          { name: "input", shape: [2, 3], datatype: "FP32", parameters: { binary_data_size: 24 } },
          TARGET,
        ],
      },
      "Inference-Header-Content-Length",
    ],
    [
      "no bytes for a shape with elements",
      one({ data: undefined, parameters: { binary_data_size: 0 } }),
      "needs 24 bytes, got 0",
    ],
    ["a rank of 9", one({ shape: Array(9).fill(1) }), "/inputs/0/shape"],
    ["an unknown member", { inputs: [INPUT, TARGET], raw: 1 }, "/raw: unknown field"],
    [
      "an unknown parameter",
      { inputs: [INPUT, TARGET], parameters: { redution: "sum" } },
      "/parameters/redution: unknown field",
    ],
    [
      "a parameter of another type",
      { inputs: [INPUT, TARGET], parameters: { ignore_index: "x" } },
      "/parameters/ignore_index: expected an integer",
    ],
    [
      "a parameter out of its range",
      { inputs: [INPUT, TARGET], parameters: { label_smoothing: 1.5 } },
      "/parameters/label_smoothing: label_smoothing must be between",
    ],
    [
      "a target of another shape",
      { inputs: [INPUT, { ...TARGET, shape: [1], data: [0] }] },
      "/inputs/1: Expected input batch_size",
    ],
    [
      "a gradient without its upstream gradient",
      { inputs: [INPUT, TARGET], parameters: { reduction: "none", return_grad: true } },
      "/inputs: grad_output: ",
    ],
    [
      "format, which has no effect",
      { inputs: [INPUT, TARGET], parameters: { format: "flat" } },
      "/parameters/format",
    ],
    [
      "non_finite, which has no effect",
      { inputs: [INPUT, TARGET], parameters: { non_finite: "null" } },
      "/parameters/non_finite",
    ],
    ["a tensor as a parameter", { inputs: [INPUT, TARGET], parameters: { weight: 1 } }, "/parameters/weight"],
    [
      "binary_data_output of another type",
      { inputs: [INPUT, TARGET], parameters: { binary_data_output: "yes" } },
      "/parameters/binary_data_output",
    ],
    [
      "an output twice",
      {
        inputs: [INPUT, TARGET],
        outputs: [{ name: "loss" }, { name: "loss", parameters: { binary_data: true } }],
      },
      "/outputs/1/name",
    ],
    [
      "a parameter called __proto__",
      JSON.parse(`{"inputs":${JSON.stringify([INPUT, TARGET])},"parameters":{"__proto__":1}}`),
      "/__proto__: unknown field",
    ],
    [
      "an output that is not there",
      { inputs: [INPUT, TARGET], outputs: [{ name: "grad_input" }] },
      "/outputs/0/name",
    ],
    [
      "a target that is no class",
      { inputs: [INPUT, { ...TARGET, data: [0, 3] }] },
      "/inputs/1/data/1: Target 3",
    ],
    [
      "a reduction that is unknown",
      { inputs: [INPUT, TARGET], parameters: { reduction: "avg" } },
      "/parameters/reduction: avg is not a valid value",
    ],
  ])("of %s is 422 or 400 in the protocol's form, and names the place", async (_title, body, place) => {
    const answer = await infer(body);
    expect([400, 422]).toContain(answer.status);
    expect(Object.keys(answer.json)).toEqual(["error"]);
    expect(answer.json.error).toContain(place);
  });

  it("of an input of another operation names its place", async () => {
    const body = { inputs: [INPUT, { ...INPUT, name: "weight" }] };
    const { status, json } = await infer(body, "/v2/models/log_softmax/infer");
    expect([status, json.error]).toEqual([
      422,
      '/inputs/1/name: expected one of input, grad_output, index, grad_lse, grad_entropy, got "weight"',
    ]);
  });

  it.each<[string, string, number]>([
    ["a JSON length that is no number", "x", 400],
    ["a JSON length beyond the body", "999", 400],
    ["a JSON length of 0", "0", 400],
    ["a JSON length that cuts the JSON", "20", 400],
  ])("of %s is 4xx", async (_title, length, status) => {
    const body = JSON.stringify({ inputs: [INPUT, TARGET] });
    const answer = await service().send("POST", `${CE}/infer`, body, {
      "inference-header-content-length": length,
    });
    expect([answer.status, Object.keys(answer.json)]).toEqual([status, ["error"]]);
  });

  it("of an option in the query string is 422, as it would have no effect", async () => {
    const answer = await infer({ inputs: [INPUT, TARGET] }, `${CE}/infer?reduction=sum`);
    expect([answer.status, Object.keys(answer.json)]).toEqual([422, ["error"]]);
  });

  it("of bytes that are too many, too few, or not those of the shape is 4xx", async () => {
    const { data: _, ...input } = INPUT;
    const send = (size: number, bytes: number) => {
      const json = JSON.stringify({ inputs: [TARGET, { ...input, parameters: { binary_data_size: size } }] });
      return service().send("POST", `${CE}/infer`, Buffer.concat([Buffer.from(json), Buffer.alloc(bytes)]), {
        "inference-header-content-length": String(json.length),
      });
    };
    expect((await send(24, 24)).status).toBe(200);
    const { arena } = service();
    const before = arena.reserved;
    const json =
      '{"inputs":[{"name":"input","shape":[200000000],"datatype":"FP32","parameters":{"binary_data_size":800000000}}]}';
    const huge = await service().send("POST", "/v2/models/log_softmax/infer", json, {
      "inference-header-content-length": String(json.length),
    });
    expect([huge.status, arena.reserved]).toEqual([400, before]);
    expect(huge.json.error).toContain("claim 800000000 bytes");
    expect((await send(24, 25)).status).toBe(400);
    expect((await send(24, 23)).status).toBe(400);
    expect((await send(20, 20)).status).toBe(422);
  });

  it("names the parameters of JSON that are not read", async () => {
    const answer = await service().send("POST", `${CE}/infer`, "{}", {
      "content-type": "application/json; charset=utf8",
    });
    expect(answer.status).toBe(415);
    expect(answer.json.error).toContain(
      "expected Content-Type application/json without parameters, or with exactly ; charset=utf-8, got",
    );
  });

  it("of another media type, or of a coding that is not read, is 415", async () => {
    for (const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/json", "content-encoding": "br" },
    ]) {
      const answer = await service().send(
        "POST",
        `${CE}/infer`,
        "{}",
        headers as unknown as Record<string, string>,
      );
      expect([answer.status, Object.keys(answer.json)]).toEqual([415, ["error"]]);
    }
  });

  it("of bytes without their header says which", async () => {
    const answer = await service().send("POST", `${CE}/infer`, "{}", {
      "content-type": "application/octet-stream",
    });
    expect(answer.status).toBe(415);
    expect(answer.json.error).toContain("or the header Inference-Header-Content-Length");
  });

  it("of a body that is no JSON object is 400, and says so where it is empty", async () => {
    expect((await service().send("POST", `${CE}/infer`, "")).json).toEqual({
      error: "byte 0: expected a JSON object, got the end of the body",
    });
    for (const body of ["{", "null", "[]", '"x"', "\ufeff{}"]) {
      const answer = await service().send("POST", `${CE}/infer`, body);
      expect([answer.status, Object.keys(answer.json)], body).toEqual([400, ["error"]]);
    }
  });
});

it("5,000 mutated requests get an answer or an error each, and every byte of memory comes back", async () => {
  const fields = {
    input: { dtype: "float32", shape: [2, 3], data: INPUT.data },
    target: { dtype: "int64", shape: [2], data: TARGET.data },
    return_grad: true,
  };
  const random = integers(4);
  const seen = new Set<number>();
  for (let k = 0; k < 5000; k++) {
    const { headers, body } = inferenceCall(fields, k % 2 === 0);
    const at = random(body.length);
    const bytes =
      random(3) === 0
        ? Buffer.concat([body.subarray(0, at), body.subarray(at + 1 + random(4))])
        : Buffer.from(body);
    bytes[random(bytes.length)] = random(256);
    const answer = await service().send("POST", `${CE}/infer`, bytes, headers);
    seen.add(answer.status);
    if (answer.status === 200) continue;
    expect(answer.status, body.toString("latin1")).toBeLessThan(500);
    expect(Object.keys(answer.json)).toEqual(["error"]);
  }
  expect([...seen].sort()).toEqual([200, 400, 422]);
  await expect.poll(() => service().arena.reserved).toBe(0);
}, 120_000);
