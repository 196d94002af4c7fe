/** Requests whose losses are kept for repetitions: nothing keeps the requests themselves, with their headers and bytes. */
import type { IncomingMessage } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
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

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, 20);
  yield bytes.subarray(20);
}

it.each([
  ["/v1/cross_entropy", "plain", contract],
  ["/v1/cross_entropy", "gzip", contract],
  ["/v2/models/cross_entropy/infer", "plain", inference],
  ["/v2/models/cross_entropy/infer", "gzip", inference],
] as const)("%s, %s, with another option each time", async (path, coding, bodyOf) => {
  const isCompressed = coding === "gzip";
  const requests: WeakRef<IncomingMessage>[] = [];
  const note = (request: IncomingMessage): void => void requests.push(new WeakRef(request));
  service().server.on("request", note);
  for (let sent = 0; sent < COUNT; sent++) {
    const text = bodyOf(sent / COUNT);
    const headers = {
      "content-type": "application/json",
      ...(isCompressed && { "content-encoding": "gzip" }),
    };
    const body = isCompressed ? chunks(gzipSync(text)) : text;
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
