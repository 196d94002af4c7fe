/** Requests whose losses are kept for repetitions: nothing keeps the requests themselves, with their headers and bytes. */
import type { IncomingMessage } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import type { InferenceCall } from "../../conformance/inference.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import { useService } from "../../support/service.ts";

const service = useService();

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const COUNT = 40;
const contract = (smoothing: number): string =>
  JSON.stringify({ input: [[0, 1, 2]], target: [1], label_smoothing: smoothing });
const inference = (smoothing: number): string =>
  JSON.stringify({
    parameters: { label_smoothing: smoothing },
    inputs: [
      { name: "input", datatype: "FP32", shape: [1, 2], data: [0, 1] },
      { name: "target", datatype: "INT64", shape: [1], data: [1] },
    ],
  });

/** The same inference with its tensors as bytes. */
const binary = (smoothing: number): InferenceCall =>
  inferenceCall(
    {
      input: { dtype: "float32", shape: [1, 2], data: [0, 1] },
      target: { dtype: "int64", shape: [1], data: [1] },
      label_smoothing: smoothing,
    },
    true,
  );
const file = (smoothing: number): Buffer =>
  writeTestFile(
    { input: tensor("float32", [1, 2], (at) => at), target: tensor("int64", [1], () => 1) },
    { metadata: { label_smoothing: String(smoothing) } },
  );

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, 20);
  yield bytes.subarray(20);
}

interface Call {
  readonly body: string | Buffer | AsyncIterable<Uint8Array>;
  readonly headers: Record<string, string>;
}

const json = (text: string): Call => ({ body: text, headers: { "content-type": "application/json" } });
const compressed = (text: string): Call => ({
  body: chunks(gzipSync(text)),
  headers: { "content-type": "application/json", "content-encoding": "gzip" },
});
const ofFile = (body: Buffer): Call => ({
  body,
  headers: { "content-type": "application/vnd.safetensors" },
});

it.each<[path: string, form: string, callOf: (smoothing: number) => Call]>([
  ["/v1/cross_entropy", "plain", (smoothing) => json(contract(smoothing))],
  ["/v1/cross_entropy", "gzip", (smoothing) => compressed(contract(smoothing))],
  ["/v1/cross_entropy", "a file", (smoothing) => ofFile(file(smoothing))],
  ["/v2/models/cross_entropy/infer", "plain", (smoothing) => json(inference(smoothing))],
  ["/v2/models/cross_entropy/infer", "gzip", (smoothing) => compressed(inference(smoothing))],
  ["/v2/models/cross_entropy/infer", "bytes", binary],
])("%s, %s, with another option each time", async (path, _form, callOf) => {
  const requests: WeakRef<IncomingMessage>[] = [];
  const note = (request: IncomingMessage): void => void requests.push(new WeakRef(request));
  service().server.on("request", note);
  for (let sent = 0; sent < COUNT; sent++) {
    const { body, headers } = callOf(sent / COUNT);
    expect((await service().send("POST", path, body, headers)).status).toBe(200);
  }
  service().server.off("request", note);
  expect(requests).toHaveLength(COUNT);
  const left = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
    return requests.filter((request) => request.deref() !== undefined).length;
  };
  // The connection keeps its last request.
  await expect.poll(left).toBeLessThanOrEqual(8);
});
