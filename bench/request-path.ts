/**
 * Counts the files and functions that a request runs: `npm run bench:path`. A server in this process serves a JSON cross_entropy of 3x5, the first
 * of its shape and a repetition, a /v2 inference and a safetensors file, and V8's precise coverage counts the calls into src/.
 * `npm run bench:path -- files` lists the files.
 */
import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";
import { tensor, writeTestFile } from "../test/conformance/files.ts";
import { startService } from "../test/support/service.ts";
import { SMALL } from "./bodies.ts";

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
const WARM_UP_REQUESTS = 50;

const service = await startService();
const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });

interface Entered {
  readonly files: readonly string[];
  readonly functions: number;
  readonly calls: number;
}

/** Counts the functions of src/ that run until `send` gets its response. */
async function coverage(send: () => Promise<{ status: number }>): Promise<Entered> {
  for (let sent = 0; sent < WARM_UP_REQUESTS; sent++) {
    const { status } = await send();
    if (status !== 200) throw new Error(`the request got status ${status}`);
  }
  await session.post("Profiler.takePreciseCoverage");
  await send();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  const files: string[] = [];
  let functions = 0;
  let calls = 0;
  for (const { url, functions: covered } of result) {
    const path = url.startsWith("file:") ? fileURLToPath(url) : url;
    if (!path.startsWith(SRC)) continue;
    const counts = covered.map(({ ranges }) => ranges[0]!.count).filter((count) => count > 0);
    if (counts.length === 0) continue;
    files.push(path.slice(SRC.length));
    functions += counts.length;
    calls += counts.reduce((sum, count) => sum + count, 0);
  }
  return { files: files.sort(), functions, calls };
}

const inference = {
  inputs: [
    { name: "input", shape: [1, 2], datatype: "FP32", data: [0, 0] },
    { name: "target", shape: [1], datatype: "INT64", data: [1] },
  ],
};
const file = writeTestFile({
  target: tensor("int64", [3], () => 1),
  input: tensor("float32", [3, 5], () => 0),
});
/** Columns of the last body of a new shape. */
let columns = 5;
const ofNewShape = (): object => {
  columns++;
  return { input: [0, 1, 2].map((score) => new Array(columns).fill(score)), target: [1, 0, 4] };
};
const requests = {
  "cross_entropy 3xN, JSON, the first of its shape": () => service.post("/v1/cross_entropy", ofNewShape()),
  "cross_entropy 3x5, JSON, repeated": () => service.post("/v1/cross_entropy", SMALL),
  "cross_entropy 1x2, inference": () => service.post("/v2/models/cross_entropy/infer", inference),
  "cross_entropy 3x5, safetensors": () =>
    service.send("POST", "/v1/cross_entropy", file, { "content-type": "application/vnd.safetensors" }),
};

for (const [title, send] of Object.entries(requests)) {
  const { files, functions, calls } = await coverage(send);
  console.log(`${title}: ${files.length} files, ${functions} functions, ${calls} calls`);
  if (process.argv.includes("files")) console.log(files.map((name) => `  ${name}`).join("\n"));
}
await service.close();
session.disconnect();
