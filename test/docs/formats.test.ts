/** Every block of docs/formats.md, run: bytes against bytes, and the examples in each language. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CODE_SAMPLES } from "../../src/http/openapi/code-samples.ts";
import type { FileTensors } from "../conformance/files.ts";
import { readTestFile, tensor, writeTestFile } from "../conformance/files.ts";
import { expectAlmost } from "../support/almost.ts";
import { blocksOf, readPage, tableOf } from "../support/blocks.ts";
import { useService } from "../support/service.ts";

const page = readPage("docs/formats.md");
const blocks = blocksOf(page);
const inLanguage = (language: string): string[] =>
  blocks.filter((block) => block.language === language).map(({ text }) => text);
const service = useService();
const run = promisify(execFile);
const [request, answer, inference, inferred] = inLanguage("hex").map(fromDump);
const FILE = "application/vnd.safetensors";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lossd-formats-"));
  for (const command of inLanguage("bash")) execFileSync("bash", ["-c", command], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The bytes of a dump, whose text column has to be theirs. */
function fromDump(dump: string): Buffer {
  const lines = dump.trimEnd().split("\n");
  const rows = lines.map((line, at) => {
    expect(Number.parseInt(line.slice(0, 4), 16)).toBe(at * 16);
    const bytes = Buffer.from(line.slice(6, 53).replaceAll(" ", ""), "hex");
    const text = [...bytes]
      .map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "."))
      .join("");
    expect(line.slice(55).padEnd(bytes.length)).toBe(text);
    return bytes;
  });
  return Buffer.concat(rows);
}

const local = (text: string): string => text.replaceAll("http://127.0.0.1:8080", service().url);

it("the command that makes the file makes the request in bytes", () => {
  expect(readFileSync(join(folder, "request.safetensors")).toString("hex")).toBe(request!.toString("hex"));
});

it("the request in bytes gets the answer in bytes", async () => {
  const got = await service().send("POST", "/v1/cross_entropy?return_grad=true", request!, {
    "content-type": FILE,
  });
  expect([got.status, got.headers["content-type"]]).toEqual([200, FILE]);
  expect(got.bytes.toString("hex")).toBe(answer!.toString("hex"));
});

it("the inference request in bytes gets the answer in bytes", async () => {
  const [asked, given] = [...page.matchAll(/`Inference-Header-Content-Length: (\d+)`/g)].map(
    ([, length]) => length!,
  );
  const got = await service().send("POST", "/v2/models/cross_entropy/infer", inference!, {
    "inference-header-content-length": asked!,
  });
  expect([got.status, got.headers["inference-header-content-length"]]).toEqual([200, given]);
  expect(got.bytes.toString("hex")).toBe(inferred!.toString("hex"));
});

it.each(
  inLanguage("sh").map((command, at) => [command.split("\n")[0]!, command, inLanguage("json")[at]!] as const),
)("%s gets the JSON beside it", async (_title, command, expected) => {
  const quiet = local(command).replace("curl ", "curl -sS ");
  const { stdout } = await run("bash", ["-c", quiet], { cwd: folder });
  expectAlmost(JSON.parse(stdout), JSON.parse(expected));
});

const has = (modules: string): boolean => spawnSync("python3", ["-c", `import ${modules}`]).status === 0;
const PYTHON = ["numpy, safetensors", "numpy, tritonclient.http"];

for (const [at, modules] of PYTHON.entries()) {
  it.skipIf(!has(modules))(
    `the Python example prints the loss and the gradient (needs ${modules})`,
    async () => {
      const program = local(inLanguage("python")[at]!).replace("127.0.0.1:8080", new URL(service().url).host);
      const { stdout } = await run("python3", ["-c", program]);
      const [loss, ...gradient] = stdout.match(/-?\d+\.\d*/g)!.map(Number);
      expect(loss).toBeCloseTo(Math.log(2), 6);
      expect(gradient).toEqual([0.5, -0.5]);
    },
  );
}

it.each([0, 1])("TypeScript example %i prints the loss", async (at) => {
  const program = local(inLanguage("ts")[at]!);
  const { stdout } = await run(process.execPath, ["--input-type=module-typescript", "-e", program]);
  expect(Number(/loss: ([\d.]+)/.exec(stdout)![1])).toBeCloseTo(Math.log(2), 6);
});

it("has every program that the OpenAPI document shows", () => {
  const samples = Object.values(CODE_SAMPLES).flat();
  expect(samples.length).toBe(6);
  for (const { source } of samples) expect(blocks.map(({ text }) => text)).toContain(`${source}\n`);
});

/** Requests that return every tensor between them. The dtypes beside `dtype` never promote it. */
function requestsFor(dtype: string): Record<string, FileTensors> {
  const input = tensor(dtype, [2, 3], Math.sin);
  const indices = tensor("int64", [2, 1], () => 1);
  const soft = { input, target: tensor("bfloat16", [2, 3], () => 0.25) };
  const sparse = { input, target: indices, target_weight: tensor("float64", [2, 1], () => 1) };
  const zLoss = "return_z_loss=true&lse_square_scale=1";
  return {
    "log_softmax?dim=1&return_lse=true&return_entropy=true": { input },
    "log_softmax?dim=1&top_k=1&return_grad=true": { input, grad_output: tensor(dtype, [2, 1], () => 1) },
    "cross_entropy?return_predictions=true&return_correct=true": {
      input,
      target: tensor("int32", [2], () => 1),
    },
    [`cross_entropy?${zLoss}`]: soft,
    [`cross_entropy?reduction=none&${zLoss}`]: soft,
    "cross_entropy?return_grad_target_weight=true": sparse,
    "kl_div?reduction=sum&return_grad_target=true": soft,
  };
}

it.each(["float64", "float32", "bfloat16"])(
  "has the dtype of every tensor of a response to %s",
  async (dtype) => {
    const totals = dtype === "float64" ? "float64" : "float32";
    const meanings: Readonly<Record<string, (name: string) => string>> = {
      "the option `dtype`, or": () => dtype,
      "float32, and float64": () => totals,
      "that of the request's": (name) =>
        ({ grad_target: "bfloat16", grad_target_weight: "float64" })[name] ?? dtype,
    };
    const rows = tableOf(page, "tensor of the response").map(([names, text]) => {
      const [, meaning] = Object.entries(meanings).find(([begin]) => text!.startsWith(begin)) ?? [];
      return { names: names!.replaceAll("`", "").split(", "), dtypeOf: meaning ?? (() => text!) };
    });
    const stated = rows.flatMap(({ names, dtypeOf }) => names.map((name) => [name, dtypeOf(name)]));
    const got: Record<string, string> = {};
    for (const [path, tensors] of Object.entries(requestsFor(dtype))) {
      const answer = await service().send("POST", `/v1/${path}`, writeTestFile(tensors), {
        "content-type": FILE,
      });
      for (const [name, { dtype }] of Object.entries(readTestFile(answer.bytes).tensors)) got[name] = dtype;
    }
    expect(got).toEqual(Object.fromEntries(stated));
  },
);

it("names settings that exist", () => {
  const settings = readFileSync(new URL("../../src/config/settings.ts", import.meta.url), "utf8");
  for (const [, name] of page.matchAll(/`([A-Z]+_[A-Z_]+)`/g)) expect(settings).toContain(`${name}:`);
});
