/** The command line, as a person types it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { below } from "../src/cli/address.ts";
import { SETTINGS } from "../src/config.ts";
import { readTokens } from "../src/http/tokens.ts";
import { VERSION } from "../src/version.ts";
import { writeHeader } from "../src/wire/safetensors.ts";
import { readTestFile } from "./conformance/files.ts";
import { startProcess } from "./process.ts";
import { useService } from "./service.ts";

const MiB = 2 ** 20;

/** Runs a command to its end. */
async function lossd(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["dist/main.js", ...args], {
    env: { PATH: process.env.PATH, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code] = await once(child, "close");
  return { code, out, err };
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lossd-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("lossd", () => {
  it("--version is package.json's", async () => {
    expect(await lossd(["--version"])).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
  });

  it("--help tells of every command, and of every setting as flag and variable", async () => {
    const { code, out } = await lossd(["--help"]);
    expect(code).toBe(0);
    for (const name of Object.keys(SETTINGS.properties)) {
      expect(out).toContain(`--${name.toLowerCase().replaceAll("_", "-")}, ${name} (`);
    }
    for (const command of ["check", "send"]) {
      expect(out).toContain(`lossd ${command}`);
      expect((await lossd([command, "--help"])).out).toContain(`lossd ${command} `);
    }
  });

  it.each([
    [["--prot", "1"], "Unknown option '--prot'; did you mean --port?"],
    [["frob"], "expected one of serve, check and send, got frob"],
    [["serve", "more"], "expected one of serve, check and send, got more"],
    [["check"], "expected URL, got nothing"],
    [["check", "127.0.0.1:8080"], "expected an address like http://127.0.0.1:8080, got 127.0.0.1:8080"],
    [["check", "http://proxy/a/v1/nll_loss"], "expected the server's address alone, like http://proxy/a, got"],
    [["send", "a.safetensors"], "expected FILE and URL, got a.safetensors"],
    [["send", "a", "http://x", "--operation", "mse"], "--operation: expected one of cross_entropy"],
    [["send", "a", "http://x", "--option", "reduction"], "--option: expected NAME=VALUE, got reduction"],
  ])("%j is refused with one line and 2", async (args, text) => {
    const { code, out, err } = await lossd(args as string[]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^lossd: [^\n]+\n$/);
    expect(err).toMatch(text as RegExp | string);
  });

  it("takes settings as flags, which win over the environment, in every process of a group", async () => {
    const args = ["--workers", "2", "--log-level=info", "--body-limit", "2048", "--drain-lag-ms", "0"];
    const { url, pids, stop } = await startProcess({ BODY_LIMIT: "4096" }, { args });
    await expect.poll(pids).toHaveLength(2);
    const post = (length: number) =>
      fetch(`${url}/v1/log_softmax`, {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close" },
        body: `{"input":[0],"dim":0}${" ".repeat(length - 21)}`,
      });
    for (let k = 0; k < 6; k++) {
      expect((await post(2048)).status).toBe(200);
      expect((await post(2049)).status).toBe(413);
    }
    expect(await stop()).toBe(0);
  });

  it("names the flag of a value that it cannot use", async () => {
    const { code, err } = await lossd(["--port", "80a"]);
    expect([code, err]).toEqual([1, "lossd: --port: expected a whole number from 0 to 65535, got 80a\n"]);
  });

  it.each([
    ["PORT", "1"],
    ["PORT", "2"],
    ["METRICS_PORT", "1"],
    ["METRICS_PORT", "2"],
  ])("says in one line that its %s is in use, with %s processes", async (setting, workers) => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, err } = await lossd(["--workers", workers], { PORT: "0", [setting]: String(port) });
    const flag = setting === "PORT" ? "--port" : "--metrics-port";
    const text = `lossd: HOST=127.0.0.1 ${setting}=${port}: the port is in use; ${flag} takes another\n`;
    expect([code, err]).toEqual([1, text]);
  });

  it("says that this machine does not have an address, and which flag takes another", async () => {
    const { code, err } = await lossd(["--host", "192.0.2.1", "--port", "0", "--workers", "1"]);
    const text = "HOST=192.0.2.1 PORT=0: this machine does not have the address; --host takes another";
    expect([code, err]).toEqual([1, `lossd: ${text}\n`]);
  });
});

describe("lossd check", () => {
  const service = useService();
  const guarded = useService({ tokens: readTokens("sesame") });

  it("passes on a server that works", async () => {
    const { code, out } = await lossd(["check", service().url]);
    expect(out).toMatch(/^(ok {4}[^\n]+\n)+(\d+) of \2 checks passed on http/);
    expect(code).toBe(0);
  });

  it("asks below the path of its address", () => {
    expect(below(new URL("http://proxy/lossd"), "v1/nll_loss").href).toBe("http://proxy/lossd/v1/nll_loss");
    expect(below(new URL("http://proxy/lossd/"), "v1/nll_loss").href).toBe("http://proxy/lossd/v1/nll_loss");
  });

  it("gives a document with --json", async () => {
    const { code, out } = await lossd(["check", service().url, "--json"]);
    const { ok, results } = JSON.parse(out);
    expect([code, ok]).toEqual([0, true]);
    expect(results.length).toBeGreaterThan(8);
    for (const result of results)
      expect(result).toEqual({ check: expect.any(String), ok: true, ms: expect.any(Number) });
  });

  it("has a token, where one is asked for", async () => {
    const file = join(folder, "token");
    writeFileSync(file, "# ours\nsesame\n");
    expect((await lossd(["check", guarded().url, "--token-file", file])).code).toBe(0);
    const { code, out } = await lossd(["check", guarded().url]);
    expect(code).toBe(1);
    expect(out).toContain("got 401");
  });

  it.each([
    ["check", "http://127.0.0.1:1"],
    ["send", "package.json", "http://127.0.0.1:1"],
  ])("%s says in one line that the file of the token is not there", async (...args) => {
    const { code, err } = await lossd([...args, "--token-file", "none.txt"]);
    expect([code, err]).toEqual([1, "lossd: --token-file none.txt: there is no such file\n"]);
  });

  it("says what a server that is wrong has answered", async () => {
    const wrong = createServer((_request, response) => {
      response.end('{"loss":1.2848796,"total_weight":3,"grad_input":[]}');
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void wrong.close());
    await once(wrong, "listening");
    const { code, out } = await lossd(["check", `http://127.0.0.1:${(wrong.address() as AddressInfo).port}`]);
    expect(code).toBe(1);
    expect(out).toMatch(
      /FAIL {2}cross_entropy of 3x5 with its gradient: the answer: expected .*1.2848786.*, got .*1.2848796/,
    );
    expect(out).toMatch(/^1 of \d+ checks passed/m);
  });

  it("ends at once where no server is", async () => {
    const { code, out } = await lossd(["check", "http://127.0.0.1:9"]);
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL {2}it is ready: .+\n0 of \d+ checks passed/);
  });
});

describe("lossd send", () => {
  const service = useService({ bodyLimit: 4 * MiB, memoryBudget: 64 * MiB });
  const CLASSES = 4096;

  /** A file of float32 logits, all 0, and of the class 0 for each row. */
  async function logits(name: string, rows: number): Promise<string> {
    const file = join(folder, name);
    const tensors = [
      { name: "target", dtype: "int64", shape: [rows] },
      { name: "input", dtype: "float32", shape: [rows, CLASSES] },
    ] as const;
    const begin = writeHeader(tensors, {});
    await writeFile(file, begin);
    const row = Buffer.alloc(64 * CLASSES * 4);
    await appendFile(file, Buffer.alloc(rows * 8));
    for (let k = 0; k < rows; k += 64) await appendFile(file, row);
    return file;
  }

  it("prints the answer, with options, and says how far it is", async () => {
    const file = await logits("small.safetensors", 64);
    const { code, out, err } = await lossd(["send", file, service().url, "--option", "reduction=sum"]);
    expect([code, JSON.parse(out).total_weight]).toEqual([0, 64]);
    expect(JSON.parse(out).loss).toBeCloseTo(64 * Math.log(CLASSES), 2);
    expect(err).toMatch(/^100 % {2}1\.0 MiB of 1\.0 MiB {2}[\d.]+ \w+\/s\n$/);
  });

  it("takes a file far beyond BODY_LIMIT, and stores its gradient", async () => {
    const rows = 16_384;
    const file = await logits("large.safetensors", rows);
    const output = join(folder, "gradient.safetensors");
    const { code } = await lossd([
      "send",
      file,
      service().url,
      "--option",
      "return_grad=true",
      "--output",
      output,
    ]);
    expect(code).toBe(0);
    expect(existsSync(`${output}.part`)).toBe(false);
    const { loss, grad_input } = readTestFile(readFileSync(output)).tensors;
    expect(grad_input!.shape).toEqual([rows, CLASSES]);
    expect(loss!.shape).toEqual([]);
  }, 60_000);

  it.each([
    [["--option", "reduction=prod"], "refused with 422 invalid_reduction: /reduction: prod"],
    [
      ["--operation", "nll_loss", "--option", "label_smoothing=0.1"],
      "422 invalid_request: /label_smoothing: unknown",
    ],
    [["--operation", "log_softmax"], "422 invalid_request: /target"],
  ])("shows why %j is refused, although it is still sending", async (more, text) => {
    const file = join(folder, "large.safetensors");
    const { code, out, err } = await lossd(["send", file, service().url, ...more]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(text);
    expect(err).not.toContain("    at ");
  });

  it("says that there is no such file, or no such server", async () => {
    expect((await lossd(["send", join(folder, "none"), service().url])).err).toMatch(
      /^lossd: [^\n]+: there is no such file\n$/,
    );
    const file = join(folder, "small.safetensors");
    const { code, err } = await lossd(["send", file, "http://127.0.0.1:9"]);
    expect(code).toBe(1);
    expect(err).toMatch(/^lossd: .*ECONNREFUSED.*\n$/);
  });

  it("leaves nothing behind when it is stopped", async () => {
    // A server that answers 200 and never goes on.
    const stuck = createServer((request, response) => {
      request.resume();
      response.writeHead(200, { "content-length": 1000 }).write("x");
    }).listen(0, "127.0.0.1");
    onTestFinished(() => {
      stuck.closeAllConnections();
      stuck.close();
    });
    await once(stuck, "listening");
    const output = join(folder, "stopped.safetensors");
    const url = `http://127.0.0.1:${(stuck.address() as AddressInfo).port}`;
    const running = spawn(process.execPath, [
      "dist/main.js",
      "send",
      join(folder, "small.safetensors"),
      url,
      "--output",
      output,
    ]);
    const closed = once(running, "close");
    await expect.poll(() => existsSync(`${output}.part`), { timeout: 10_000 }).toBe(true);
    await sleep(50);
    running.kill("SIGINT");
    const [code] = await closed;
    expect(code).toBe(130);
    expect([existsSync(output), existsSync(`${output}.part`)]).toEqual([false, false]);
  });
});
