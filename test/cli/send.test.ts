/** `lossd send`: the way of a file, and of its answer. test/cli/output.test.ts has where the answer goes. */
import { once } from "node:events";
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { digestTokens } from "../../src/http/server/auth.ts";
import { writeHeader } from "../../src/wire/safetensors/header.ts";
import { readTestFile } from "../conformance/files.ts";
import {
  begin,
  fake,
  fakeBytes,
  freeAddress,
  INTERIM,
  lossd,
  SWITCH,
  useFolder,
  zeros,
} from "../support/command.ts";
import { useService } from "../support/service.ts";

const MiB = 2 ** 20;
const inFolder = useFolder();

const OK = "HTTP/1.1 200 OK\r\n";
const JSON_OK = `${OK}content-type: application/json\r\n`;
const TENSORS = [
  { name: "target", dtype: "int64", shape: [2] },
  { name: "input", dtype: "float32", shape: [2, 3] },
] as const;

describe("lossd send", () => {
  const service = useService({ bodyLimit: 4 * MiB, memoryBudget: 64 * MiB });
  const guarded = useService({ tokens: digestTokens(["sesame"]) });
  const CLASSES = 4096;

  const small = (): string => {
    const file = inFolder("few.safetensors");
    writeFileSync(file, zeros(TENSORS));
    return file;
  };

  /** A file of float32 logits, all 0, and of the class 0 for each row. */
  async function logits(name: string, rows: number): Promise<string> {
    const file = inFolder(name);
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

  it("asks for another operation with its options, such as kl_div of logits", async () => {
    const file = inFolder("divergence.safetensors");
    const tensors = ["target", "input"].map((name) => ({ name, dtype: "float32", shape: [2, 3] }) as const);
    const data = Float32Array.of(1, 1, 4, 0, 2, 0, 1, 2, 3, 0, 0, 0);
    writeFileSync(file, Buffer.concat([writeHeader(tensors, {}), Buffer.from(data.buffer)]));
    const options = ["from_logits=true", "temperature=2", "reduction=batchmean"];
    const { code, out } = await lossd([
      "send",
      file,
      service().url,
      "--operation",
      "kl_div",
      ...options.flatMap((option) => ["--option", option]),
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ loss: expect.closeTo(0.10157592, 6) });
  });

  const rows = 16_384;
  let large: string;
  beforeAll(async () => {
    large = await logits("large.safetensors", rows);
  });

  it("takes a file far beyond BODY_LIMIT, and stores its gradient", async () => {
    const output = inFolder("gradient.safetensors");
    const { code } = await lossd([
      "send",
      large,
      service().url,
      "--option",
      "return_grad=true",
      "--output",
      output,
    ]);
    expect(code).toBe(0);
    const { loss, grad_input } = readTestFile(readFileSync(output)).tensors;
    expect(grad_input!.shape).toEqual([rows, CLASSES]);
    expect(loss!.shape).toEqual([]);
  }, 60_000);

  it("takes the top k and the entropy of log_softmax", async () => {
    const file = inFolder("top.safetensors");
    writeFileSync(file, zeros([{ name: "input", dtype: "float32", shape: [2, 4] }]));
    const options = ["dim=1", "top_k=3", "return_entropy=true"].flatMap((option) => ["--option", option]);
    const { code, out } = await lossd([
      "send",
      file,
      service().url,
      "--operation",
      "log_softmax",
      ...options,
    ]);
    expect(code).toBe(0);
    const { values, indices, entropy, output } = JSON.parse(out);
    expect(indices).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(values.flat()).toEqual(Array(6).fill(-1.3862944));
    expect(entropy).toEqual([1.3862944, 1.3862944]);
    expect(output).toBeUndefined();
  });

  it.each([
    [["--option", "reduction=prod"], "rejected with 422 invalid_reduction: /reduction: prod"],
    [
      ["--operation", "nll_loss", "--option", "label_smoothing=0.1"],
      "422 invalid_request: /label_smoothing: unknown",
    ],
    [["--operation", "log_softmax"], "422 invalid_request: /target"],
  ])("shows why %j is refused, although it is still sending", async (more, text) => {
    const { code, out, err } = await lossd(["send", large, service().url, ...more]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(text);
    expect(err).not.toContain("    at ");
  });

  it("says that there is no such file, or no such server", async () => {
    expect((await lossd(["send", "none", service().url])).err).toBe("lossd: none: there is no such file\n");
    const place = await freeAddress();
    const { code, err } = await lossd(["send", small(), `http://${place}`]);
    expect(code).toBe(1);
    expect(err).toBe(`lossd: nothing listens on ${place}: is lossd running there?\n`);
  });

  it("refuses what is no safetensors file before it sends", async () => {
    const file = inFolder("body.json");
    for (const text of ['{"input": [[0]]}', "{}", '\n[{"input": [[0]]}]']) {
      writeFileSync(file, text);
      const { code, err } = await lossd(["send", file, "http://127.0.0.1:9"]);
      expect(code).toBe(1);
      expect(err).toBe(`lossd: ${file} looks like JSON; lossd send takes safetensors files\n`);
    }
    writeFileSync(file, "");
    expect((await lossd(["send", file, "http://127.0.0.1:9"])).err).toContain("got an empty one\n");
  });

  it("takes a header of 123 bytes, whose length begins with {", async () => {
    const plain = zeros(TENSORS);
    const header = plain
      .subarray(8, 8 + plain.readUInt8(0))
      .toString()
      .trim();
    const length = Buffer.alloc(8);
    const padded = header.padEnd(0x7b + 256);
    length.writeUInt16LE(padded.length);
    const data = plain.subarray(8 + plain.readUInt8(0));
    const file = inFolder("brace.safetensors");
    writeFileSync(file, Buffer.concat([length, Buffer.from(padded), data]));
    expect(readFileSync(file, "latin1")[0]).toBe("{");
    expect((await lossd(["send", file, service().url])).code).toBe(0);
  });

  it("names the flag where the server asks for a token", async () => {
    const { code, err } = await lossd(["send", small(), guarded().url]);
    expect(code).toBe(1);
    expect(err).toMatch(
      /rejected with 401 unauthorized: .+; put the token into a file: --token-file FILE\n$/,
    );
  });

  it.each([
    ["that changes the protocol", SWITCH, "expected a response, got status 101"],
    ["of nothing", "", "the server closed the connection without a response"],
    ["of interim ones without end", INTERIM.repeat(1000), "expected a response, got 101 interim responses"],
    [
      "of another type",
      `${OK}content-type: text/html\r\n\r\n<p>`,
      "expected a response of type application/json, got text/html",
    ],
    ["without a type", `${OK}\r\n{}`, "expected a response of type application/json, got none"],
    [
      "elsewhere",
      "HTTP/1.1 302 Found\r\nlocation: http://a:b@x\r\n\r\n",
      "expected status 200, got 302 to http://***@x",
    ],
    ["cut off by length", `${JSON_OK}content-length: 9\r\n\r\n{"loss"`, "the response was cut off"],
    ["cut off in silence", `${JSON_OK}\r\n{"loss":{"a":"}}`, "the response was cut off: its JSON has no end"],
    ["of more than JSON", `${JSON_OK}\r\n{"loss":1} {}`, "expected one JSON object as the response"],
    [
      "of more than JSON without letters",
      `${JSON_OK}\r\n{"loss":1} ,,`,
      "expected one JSON object as the response",
    ],
    [
      "of endless brackets",
      `${JSON_OK}\r\n{"loss":${"[".repeat(99)}`,
      "expected one JSON object as the response",
    ],
    ["of crossed brackets", `${JSON_OK}\r\n{"loss":[1}]`, "expected one JSON object as the response"],
    ["of text", `${JSON_OK}\r\nhello`, "expected one JSON object as the response"],
  ])("fails in one line on an answer %s", async (_title, answer, text) => {
    const { code, err } = await lossd(["send", small(), await fakeBytes(answer)]);
    expect(code).toBe(1);
    expect(err).toMatch(/^lossd: [^\n]+\n$/);
    expect(err).toContain(text);
  });

  it("prints JSON with the same meaning, without control characters", async () => {
    const url = await fakeBytes(`${JSON_OK}\r\n{"a":"\u009b2J\u007f",\r\n\t"b":"\\"}"}`);
    const { code, out } = await lossd(["send", small(), url]);
    expect(code).toBe(0);
    expect(out).toBe('{"a":"\\u009b2J\\u007f", \n\t"b":"\\"}"}\n');
  });

  it("accepts a response that closes the connection while the file is still open", async () => {
    const url = await fakeBytes(`${JSON_OK}\r\n{}`);
    const file = small();
    const four = Array.from({ length: 4 }, () => lossd(["send", file, url]));
    for (const { code, err } of await Promise.all(four))
      expect([code, err]).toEqual([0, expect.stringContaining("100 %")]);
  });

  it("shows a refusal without control characters", async () => {
    const detail = JSON.stringify("\x1b[2J\u009b\n");
    const url = await fakeBytes(`HTTP/1.1 422 No\r\n\r\n{"code":"c","detail":${detail}}`);
    expect((await lossd(["send", small(), url])).err).toBe(
      "lossd: rejected with 422 c: \\u001b[2J\\u009b\\u000a\n",
    );
  });

  it("fails where a whole answer comes before the whole file", async () => {
    const url = await fakeBytes((socket) => {
      socket.pause();
      socket.write(`${JSON_OK}content-length: 2\r\n\r\n{}`);
    });
    const { code, err } = await lossd(["send", large, url]);
    expect(code).toBe(1);
    expect(err).toMatch(/lossd: the server ended its response after \d+ of \d+ bytes\n$/);
  });

  it("says how much was sent where the connection is closed before an answer", async () => {
    const url = await fakeBytes((socket) => void socket.resetAndDestroy());
    const { code, err } = await lossd(["send", large, url]);
    expect(code).toBe(1);
    expect(err).toMatch(
      /^lossd: the server closed the connection without a response that could be read, after \d+ of \d+ bytes\n$/,
    );
  });

  it("gives up where no byte moves", async () => {
    const args = ["--timeout", "1"];
    const text = "lossd: timeout: no byte moved for 1 s; --timeout SECONDS waits longer\n";
    const none = await fakeBytes(() => {});
    const half = await fakeBytes((socket) => void socket.write(`${JSON_OK}\r\n{`));
    for (const end of await Promise.all([none, half].map((url) => lossd(["send", small(), url, ...args]))))
      expect(end).toMatchObject({ code: 1, err: text });
  });

  it("sends a file that grows as long as it was announced, and says where one shrinks", async () => {
    const file = inFolder("grows.safetensors");
    writeFileSync(file, zeros([{ name: "input", dtype: "float32", shape: [4 * MiB] }]));
    const whole = readFileSync(file).length;
    let got = 0;
    let change = (): void => appendFileSync(file, Buffer.alloc(MiB));
    const url = await fake((request, response) => {
      change();
      request.on("data", (piece) => {
        got += piece.length;
      });
      request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
    });
    expect((await lossd(["send", file, url])).code).toBe(0);
    expect(got).toBe(whole);
    change = () => truncateSync(file, MiB);
    const { code, err } = await lossd(["send", file, url]);
    expect(code).toBe(1);
    expect(err).toContain("lossd: the file became shorter than");
  });

  it("does not gather what nobody reads, and can be stopped then", async () => {
    let sent = 0;
    const url = await fake((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "application/json" }).write("{");
      const more = (): void => {
        do sent += 65_536;
        while (response.write(" ".repeat(65_536)) && sent < 512 * MiB);
        if (!response.destroyed && sent < 512 * MiB) response.once("drain", more);
      };
      more();
    });
    const child = begin(["send", small(), url, "--timeout", "1"]);
    // What the sockets and pipes between the two hold is all that moves.
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = sent > 0 && sent === before;
          before = sent;
          return isStill;
        },
        { interval: 1500, timeout: 20_000 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(64 * MiB);
    expect(child.exitCode).toBe(null);
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect(await ended).toEqual([143, null]);
  });
});
