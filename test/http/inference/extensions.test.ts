/** Triton's model configuration and statistics extensions, and the clients that ask for them. */
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { elementsOf } from "../../conformance/forms.ts";
import { inferenceCall, outputsOf } from "../../conformance/inference.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";

const service = useService();
const run = promisify(execFile);
const MODELS = ["log_softmax", "nll_loss", "cross_entropy", "kl_div"];
const INPUT = { name: "input", shape: [2, 3], datatype: "FP32", data: [0.5, -0.5, 1, 2, 0, 1] };
const TARGET = { name: "target", shape: [2], datatype: "INT64", data: [2, 0] };
const PROBABILITIES = { ...INPUT, name: "target" };

describe("the configuration of a model", () => {
  it.each(MODELS)(
    "%s has its metadata's inputs, and the one output of the default reduction",
    async (name) => {
      const path = `/v2/models/${name}`;
      const [config, versioned, metadata] = await Promise.all(
        [`${path}/config`, `${path}/versions/1/config`, path].map((url) => service().get(url)),
      );
      expect(versioned!.json).toEqual(config!.json);
      const { inputs, outputs } = metadata!.json;
      const main = name === "log_softmax" ? "output" : "loss";
      expect(config!.json).toEqual({
        name,
        platform: metadata!.json.platform,
        backend: "lossd",
        version_policy: { latest: { num_versions: 1 } },
        max_batch_size: 0,
        input: inputs.map(
          (input: { name: string; datatype: string; shape: number[]; parameters: object }) => ({
            name: input.name,
            data_type: `TYPE_${input.datatype}`,
            dims: input.shape,
            optional: (input.parameters as { optional: boolean }).optional,
          }),
        ),
        output: [{ name: main, data_type: "TYPE_FP32", dims: main === "loss" ? [1] : [-1, -1] }],
      });
      expect(outputs.map((output: { name: string }) => output.name)).toContain(main);
      // Each output of the configuration can be asked for without parameters.
      const target = name === "kl_div" ? PROBABILITIES : TARGET;
      const required = name === "log_softmax" ? [INPUT] : [INPUT, target];
      const answer = await service().post(`${path}/infer`, { inputs: required, outputs: [{ name: main }] });
      expect(answer.json.outputs).toEqual([expect.objectContaining({ name: main })]);
    },
  );

  it.each(["/v2/models/mse_loss", "/v2/models/cross_entropy/versions/2"])(
    "of %s is 404 in the protocol's form",
    async (path) => {
      for (const extension of ["config", "stats"]) {
        const { status, json } = await service().get(`${path}/${extension}`);
        expect([status, Object.keys(json)]).toEqual([404, ["error"]]);
      }
    },
  );
});

describe("the statistics of models", () => {
  const counting = useService();

  interface Durations {
    readonly [part: string]: { readonly count: number; readonly ns: number };
  }
  const statsOf = async ({ get }: Service, path: string) => (await get(path)).json.model_stats;

  it("are 0 before the first request, for every model and by each path", async () => {
    const zero = { count: 0, ns: 0 };
    const all = await statsOf(counting(), "/v2/models/stats");
    expect(all).toEqual(
      MODELS.map((name) => ({
        name,
        version: "1",
        last_inference: 0,
        inference_count: 0,
        execution_count: 0,
        inference_stats: {
          success: zero,
          fail: zero,
          queue: zero,
          compute_input: zero,
          compute_infer: zero,
          compute_output: zero,
          cache_hit: zero,
          cache_miss: zero,
        },
        batch_stats: [],
      })),
    );
    for (const [at, name] of MODELS.entries())
      for (const path of [`/v2/models/${name}`, `/v2/models/${name}/versions/1`])
        expect(await statsOf(counting(), `${path}/stats`)).toEqual([all[at]]);
  });

  it("count the requests under /v2 by outcome, with the time of each part within the whole", async () => {
    const path = "/v2/models/cross_entropy";
    const classes = 50_000;
    const data = Array.from({ length: 4 * classes }, (_, at) => Math.fround(Math.sin(at)));
    const input = { name: "input", shape: [4, classes], datatype: "FP32", data };
    const target = { ...TARGET, shape: [4], data: [0, 1, 2, 3] };
    const begun = Date.now();
    const before = performance.now();
    const { status } = await counting().post(`${path}/infer`, { inputs: [input, target] });
    expect(status).toBe(200);
    // Its JSON is read before its bytes.
    const { headers, body } = inferenceCall(
      { input: { dtype: "float32", ...INPUT }, target: { dtype: "int64", ...TARGET } },
      true,
    );
    const binary = await counting().send("POST", `${path}/versions/1/infer`, body, headers);
    expect(binary.status, binary.text).toBe(200);
    // Refused by the loss, by the JSON, by the headers; and one that is no request of the protocol.
    await counting().post(`${path}/infer`, { inputs: [INPUT, { ...TARGET, data: [0, 3] }] });
    await counting().post(`${path}/infer`, "{");
    await counting().send("POST", `${path}/infer`, "{}", { "content-type": "text/plain" });
    await counting().post("/v1/cross_entropy", { input: [[0, 1]], target: [0] });
    const elapsed = (performance.now() - before) * 1e6;
    await expect
      .poll(async () => (await statsOf(counting(), `${path}/stats`))[0].inference_stats.fail.count)
      .toBe(3);
    const [stats] = await statsOf(counting(), `${path}/stats`);
    expect(stats).toMatchObject({ inference_count: 2, execution_count: 2 });
    expect(stats.last_inference).toBeGreaterThanOrEqual(begun);
    expect(stats.last_inference).toBeLessThanOrEqual(Date.now());
    const { success, fail, cache_hit, cache_miss, ...parts } = stats.inference_stats as Durations;
    expect([success!.count, cache_hit!.count, cache_miss!.count]).toEqual([2, 0, 0]);
    expect(success!.ns + fail!.ns).toBeLessThan(elapsed);
    let sum = 0;
    for (const [part, { count, ns }] of Object.entries(parts)) {
      expect(count, part).toBe(2);
      expect(ns, part).toBeGreaterThan(0);
      sum += ns;
    }
    expect(sum).toBeLessThanOrEqual(success!.ns);
    // 200,000 numbers take milliseconds to read, and more than to compute.
    expect(parts.compute_input!.ns).toBeGreaterThan(500_000);
    const { queue: _, ...computed } = parts;
    expect(stats.batch_stats).toEqual([{ batch_size: 1, ...computed }]);
    const [other] = await statsOf(counting(), "/v2/models/nll_loss/stats");
    expect(other).toMatchObject({
      last_inference: 0,
      inference_count: 0,
      inference_stats: { fail: { count: 0 } },
    });
  });

  it("are those of /metrics", async () => {
    const page = (await counting().get("/metrics")).text;
    expect(page).toContain('lossd_inference_requests_total{model="cross_entropy",outcome="success"} 2');
    expect(page).toContain('lossd_inference_requests_total{model="cross_entropy",outcome="fail"} 3');
    const [{ inference_stats }] = await statsOf(counting(), "/v2/models/cross_entropy/stats");
    const [, seconds] = /^lossd_inference_seconds_total\{model="cross_entropy",part="success"\} (\S+)$/m.exec(
      page,
    )!;
    expect(inference_stats.success.ns).toBe(Math.round(Number(seconds) * 1e9));
  });
});

interface Recorded {
  readonly title: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly json: string;
  readonly bytes: string;
  readonly outputs?: Record<string, readonly number[]>;
}

describe("requests that nvidia-pytriton 0.7 sent (test/http/inference/pytriton-requests.py)", () => {
  const recorded: readonly Recorded[] = JSON.parse(
    readFileSync(new URL("pytriton-requests.json", import.meta.url), "utf8"),
  );

  it.each(recorded.map((row) => [row.title, row] as const))("%s", async (_title, row) => {
    const body = Buffer.concat([Buffer.from(row.json), Buffer.from(row.bytes, "hex")]);
    const answer = await service().send(
      row.method,
      row.path,
      body.length === 0 ? undefined : body,
      row.headers,
    );
    expect(answer.status, answer.text).toBe(200);
    if (row.outputs === undefined) return;
    const outputs = outputsOf(answer.bytes, answer.headers);
    expect(Object.keys(outputs)).toEqual(Object.keys(row.outputs));
    for (const [name, numbers] of Object.entries(row.outputs)) {
      const { data } = elementsOf(outputs[name]);
      expect(Array.from(data as ArrayLike<number>)).toEqual(numbers.map((value) => expect.closeTo(value, 5)));
    }
  });
});

const has = (...modules: string[]): boolean =>
  spawnSync("python3", ["-c", `import ${modules.join(", ")}`]).status === 0;

it.skipIf(!has("pytriton.client"))(
  "nvidia-pytriton's ModelClient, unmodified, gets each operation (needs the Python package nvidia-pytriton)",
  async () => {
    const script = fileURLToPath(new URL("pytriton-tour.py", import.meta.url));
    const { stdout } = await run("python3", ["-W", "ignore", script, service().url]);
    expect(stdout).toContain("6 answers agree");
  },
  60_000,
);

it.skipIf(!has("tritonclient.http"))(
  "tritonclient's get_model_config and get_inference_statistics, unmodified (needs the Python package tritonclient[http])",
  async () => {
    const script = fileURLToPath(new URL("tritonclient-extensions.py", import.meta.url));
    const { stdout } = await run("python3", [script, new URL(service().url).host]);
    expect(stdout).toContain("statistics agree");
  },
  30_000,
);
