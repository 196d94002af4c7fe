/** `lossd send --output`: what is there stays, until a whole answer takes its place. */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { begin, endOf, fake, lossd, useFolder, zeros } from "../support/command.ts";
import { useService } from "../support/service.ts";

const FILE = zeros([
  { name: "target", dtype: "int64", shape: [2] },
  { name: "input", dtype: "float32", shape: [2, 3] },
]);

const inFolder = useFolder();
const service = useService();

describe("lossd send --output", () => {
  /** A folder of its own for each test, where the person is. */
  let cwd: string;
  const at = (name: string): string => join(cwd, name);
  beforeEach(() => {
    cwd = mkdtempSync(inFolder("output-"));
    writeFileSync(at("data.part"), FILE);
  });
  const send = (output: string, url = service().url, env = {}) =>
    lossd(["send", "data.part", url, "--output", output], { cwd, env });
  const isAnswer = (file: string): boolean => readFileSync(file).includes('"loss"');

  it("leaves every other file as it is", async () => {
    writeFileSync(at("r.part"), "mine");
    symlinkSync(at("r.part"), at("q.part"));
    for (const output of ["data", "r", "q", "./new"]) {
      expect(await send(output)).toMatchObject({ code: 0 });
      expect(isAnswer(at(output))).toBe(true);
    }
    expect(readFileSync(at("data.part"))).toEqual(FILE);
    expect(readFileSync(at("r.part"), "utf8")).toBe("mine");
    expect(lstatSync(at("q.part")).isSymbolicLink()).toBe(true);
    expect(readdirSync(cwd).sort()).toEqual(["data", "data.part", "new", "q", "q.part", "r", "r.part"]);
  });

  it.each([0o600, 0o666])(
    "replaces a file behind a link, not the link, and keeps who may read it: %o",
    async (mode) => {
      mkdirSync(at("sub"));
      writeFileSync(at("sub/old"), "old");
      // More than the umask leaves to a new file.
      chmodSync(at("sub/old"), mode);
      symlinkSync("sub/old", at("link"));
      expect(await send("link")).toMatchObject({ code: 0 });
      expect(lstatSync(at("link")).isSymbolicLink()).toBe(true);
      expect(isAnswer(at("sub/old"))).toBe(true);
      expect(statSync(at("sub/old")).mode & 0o777).toBe(mode);
    },
  );

  it("refuses before it sends what cannot become the answer", async () => {
    mkdirSync(at("sub"));
    symlinkSync("data.part", at("same"));
    symlinkSync("nothing", at("broken"));
    let asked = 0;
    const url = await fake((_request, response) => {
      asked++;
      response.end();
    });
    for (const [output, fault] of [
      ["data.part", "this is the file to send"],
      ["./same", "this is the file to send"],
      ["sub", "expected a file, got a folder"],
      ["more/", "expected a file, got a folder"],
      ["more/.", "expected a file, got a folder"],
      ["more/..", "expected a file, got a folder"],
      ["", "expected a file, got a folder"],
      ["none/a", "there is no folder none"],
      ["broken", "expected a file, got a broken link"],
    ] as const) {
      expect(await send(output, url)).toEqual({
        code: 1,
        out: "",
        err: `lossd: --output ${output}: ${fault}\n`,
      });
    }
    expect(asked).toBe(0);
    expect(readFileSync(at("data.part"))).toEqual(FILE);
  });

  it("writes straight to a FIFO, and waits for its reader", async () => {
    expect(spawnSync("mkfifo", [at("pipe")]).status).toBe(0);
    const child = begin(["send", "data.part", service().url, "--output", "pipe"], { cwd });
    const ended = endOf(child);
    await new Promise<void>((told) => child.stderr.once("data", () => told()));
    const reader = spawn("cat", [at("pipe")], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void reader.kill());
    let got = "";
    reader.stdout.setEncoding("latin1").on("data", (text: string) => {
      got += text;
    });
    const closed = new Promise((told) => reader.once("close", told));
    expect(await ended).toMatchObject({ code: 0 });
    await closed;
    expect(got).toContain('"loss"');
    expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
  });

  it.each(["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])(
    "adds to the file of the shell for %s",
    async (output) => {
      writeFileSync(at("log"), "before\n");
      const log = openSync(at("log"), "a");
      const args = ["send", "data.part", service().url, "--output", output];
      const { code } = await lossd(args, { cwd, stdout: log });
      closeSync(log);
      expect(code).toBe(0);
      expect(readFileSync(at("log"), "utf8")).toMatch(/^before\n[\s\S]*"loss"/);
      expect(readdirSync(cwd).sort()).toEqual(["data.part", "log"]);
    },
  );

  it("ends where it waits for a FIFO's reader and is stopped", async () => {
    expect(spawnSync("mkfifo", [at("pipe")]).status).toBe(0);
    const child = begin(["send", "data.part", service().url, "--output", "pipe"], { cwd });
    const ended = endOf(child);
    await new Promise<void>((told) => child.stderr.once("data", () => told()));
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 143 });
  });

  it.each([
    [
      "of another type",
      "text/html",
      FILE,
      "expected a response of type application/vnd.safetensors, got text/html",
    ],
    ["that is text", "application/vnd.safetensors", Buffer.from("<p>hello</p>"), "the first 8 bytes give"],
    [
      "that ends in its header",
      "application/vnd.safetensors",
      FILE.subarray(0, 30),
      "got a body that ends after 30 bytes",
    ],
    [
      "that ends in its data",
      "application/vnd.safetensors",
      FILE.subarray(0, -1),
      "bytes of tensors after the header, got 39",
    ],
    [
      "with more behind it",
      "application/x-safetensors",
      Buffer.concat([FILE, FILE]),
      "bytes of tensors after the header",
    ],
  ])("stores no answer %s", async (_title, type, body, text) => {
    writeFileSync(at("out"), "mine");
    const url = await fake((request, response) => {
      request.resume().on("end", () => {
        // Without a length, an answer ends where the connection does.
        response.useChunkedEncodingByDefault = false;
        response.writeHead(200, { "content-type": type, connection: "close" }).end(body);
      });
    });
    const { code, err } = await send("out", url);
    expect(code).toBe(1);
    expect(err).toMatch(/^lossd: [^\n]+\n$/);
    expect(err).toContain(text);
    expect(readFileSync(at("out"), "utf8")).toBe("mine");
    expect(readdirSync(cwd).sort()).toEqual(["data.part", "out"]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("leaves nothing behind when %s stops it with %d", async (signal, code) => {
    // A server that begins its answer and never goes on.
    const url = await fake((request, response) => {
      request.resume();
      const headers = { "content-type": "application/vnd.safetensors", "content-length": FILE.length };
      response.writeHead(200, headers).write(FILE.subarray(0, 20));
    });
    const child = begin(["send", "data.part", url, "--output", "out"], { cwd });
    const ended = endOf(child);
    const partial = () => readdirSync(cwd).find((name) => name.startsWith(".lossd-"));
    const size = () => (partial() === undefined ? 0 : statSync(at(partial()!)).size);
    await expect.poll(size).toBe(20);
    child.kill(signal);
    // A terminal that is closed sends SIGHUP twice.
    await sleep(2);
    child.kill(signal);
    expect(await ended).toEqual({ code, out: "", err: `lossd: stopped by ${signal}\n` });
    expect(readdirSync(cwd)).toEqual(["data.part"]);
  });

  it("begins relative names where the person is, behind npm too", async () => {
    const url = service().url;
    const npm = { npm_lifecycle_event: "lossd", npm_package_name: "lossd", INIT_CWD: cwd };
    const { code } = await lossd(["send", "data.part", url, "--output", "behind-npm"], { env: npm });
    expect([code, existsSync(at("behind-npm"))]).toEqual([0, true]);
  });
});
