/** Every block of docs/formats.md, run: bytes against bytes, and the examples in each language. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CODE_SAMPLES } from "../../src/http/openapi/code-samples.ts";
import { expectAlmost } from "../support/almost.ts";
import { blocksOf, readPage } from "../support/blocks.ts";
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

it("names settings that exist", () => {
  const settings = readFileSync(new URL("../../src/config.ts", import.meta.url), "utf8");
  for (const [, name] of page.matchAll(/`([A-Z]+_[A-Z_]+)`/g)) expect(settings).toContain(`${name}:`);
});
