/** The command line itself: what it reads, and how it says what it cannot use. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { below } from "../../src/cli/address.ts";
import { readCommand } from "../../src/cli/command.ts";
import { readToken } from "../../src/cli/files.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { flagOf, readConfig, spansUrl } from "../../src/config/config.ts";
import { SETTING_GROUPS, SETTINGS } from "../../src/config/settings.ts";
import { VERSION } from "../../src/version.ts";
import { lossd, useFolder } from "../support/command.ts";
import { startProcess } from "../support/process.ts";

const inFolder = useFolder();

const silent: Terminal = {
  out: async () => {},
  err: () => {},
  isLive: false,
  stopped: new AbortController().signal,
  folder: ".",
};

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
    expect(out).toContain("BODY_LIMIT (64 MiB)");
    for (const group of Object.keys(SETTING_GROUPS)) expect(out).toContain(`\n${group}:\n`);
    for (const word of SETTINGS.properties.LOG_LEVEL.enum) expect(out).toContain(word);
    for (const command of ["check", "send"]) {
      expect(out).toContain(`lossd ${command}`);
      expect((await lossd([command, "--help"])).out).toContain(`lossd ${command} `);
    }
  });

  it("takes help as a command, and -v for --version", () => {
    expect(readCommand(["help"])).toEqual({ name: "help", of: "serve" });
    expect(readCommand(["help", "send"])).toEqual({ name: "help", of: "send" });
    expect(readCommand(["-v"])).toEqual({ name: "version" });
  });

  it.each([
    [["--prot", "1"], "Unknown option '--prot'; did you mean --port?"],
    [["--frobnicate"], "Unknown option '--frobnicate'; see lossd --help"],
    [["send", "a", "http://x", "--outptu", "b"], "Unknown option '--outptu'; did you mean --output?"],
    [["frob"], "expected one of serve, check and send, got frob; see lossd --help"],
    [["chek", "http://x"], "expected one of serve, check and send, got chek; did you mean check?"],
    [["help", "sedn"], "expected one of serve, check and send, got sedn; did you mean send?"],
    [["serve", "more"], "expected one of serve, check and send, got more"],
    [["9000"], "got 9000; did you mean --port 9000? With npm: npm start -- --port 9000"],
    [["check"], "expected URL, got nothing"],
    [["check", "127.0.0.1:8080"], "expected an address like http://127.0.0.1:8080, got 127.0.0.1:8080"],
    [["check", "http://proxy/a/v1/nll_loss"], "the server's address alone, like http://proxy/a, got"],
    [
      ["check", "http://proxy/v2"],
      "expected the server's address alone, like http://proxy, got http://proxy/v2",
    ],
    [["check", "http://proxy/docs/"], "expected the server's address alone, like http://proxy, got"],
    [["check", "http://proxy/a/health/ready"], "the server's address alone, like http://proxy/a, got"],
    [
      ["check", "http://proxy/a?b=c"],
      "the server's address alone, like http://proxy/a, got an address with ? or #",
    ],
    [
      ["check", "http://proxy/a#b"],
      "the server's address alone, like http://proxy/a, got an address with ? or #",
    ],
    [["send", "a.safetensors"], "expected FILE and URL, got a.safetensors"],
    [["send", "a", "http://x", "--operation", "mse"], "--operation: expected one of cross_entropy"],
    [["send", "a", "http://x", "--timeout", "0"], "--timeout: expected whole seconds from 1 to 99999, got 0"],
    [["send", "a", "http://x", "--option", "reduction"], "--option: expected NAME=VALUE, got reduction"],
  ])("refuses %j in words", (args, text) => {
    expect(() => readCommand(args)).toThrow(text);
  });

  it("refuses a command line with one line and 2", async () => {
    const err = "lossd: Unknown option '--prot'; did you mean --port?\n";
    expect(await lossd(["--prot", "1"])).toEqual({ code: 2, out: "", err });
  });

  it("takes an address below any path of a proxy", () => {
    const address = "http://127.0.0.1:8001/api/v1/namespaces/d/services/lossd/proxy/";
    expect(readCommand(["check", address])).toMatchObject({ url: new URL(address) });
    expect(below(new URL("http://proxy/lossd"), "v1/nll_loss").href).toBe("http://proxy/lossd/v1/nll_loss");
    expect(below(new URL("http://proxy/lossd/"), "v1/nll_loss").href).toBe("http://proxy/lossd/v1/nll_loss");
  });

  it.each([
    ["check", "http://bob:s3cret@host"],
    ["check", "http://bob:s3cret@host/docs"],
    ["check", "http://bob:s3/cret@host"],
    ["check", "bob:s3cret@host"],
    ["check", "http://host?s3cret"],
    ["check", "http://host", "http://bob:s3cret@host"],
    ["send", "http://bob:s3cret@host"],
    ["http://bob:s3cret@host"],
  ])("shows no password of %j", (...args) => {
    expect(() => readCommand(args)).toThrow(/^expected /);
    expect(() => readCommand(args)).not.toThrow(/s3|cret/);
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

  it.each([
    [["--workers", "-1"], "--workers: expected a value that does not begin with -; see lossd --help"],
    [["check", "http://127.0.0.1:1", "--token", "x"], "Unknown option '--token'; did you mean --token-file?"],
    [
      ["send", "few.safetensors", "http://127.0.0.1:1", "--reduction", "sum"],
      "Unknown option '--reduction'; pass options of the operation with --option, as in --option reduction=VALUE; see lossd help send",
    ],
    [["send", "few.safetensors"], "expected FILE and URL, got few.safetensors; see lossd help send"],
  ])("says of %j what was probably meant", async (args, text) => {
    const { code, err } = await lossd(args);
    expect([code, err]).toEqual([2, `lossd: ${text}\n`]);
  });

  it("refuses one port for requests and metrics", async () => {
    const { code, err } = await lossd([], { env: { PORT: "8099", METRICS_PORT: "8099" } });
    expect([code, err]).toEqual([1, "lossd: METRICS_PORT: expected another port than PORT\n"]);
  });

  it("names the flag of a value that it cannot use", async () => {
    const { code, err } = await lossd(["--port", "80a"]);
    expect([code, err]).toEqual([2, "lossd: --port: expected a whole number from 0 to 65535, got 80a\n"]);
  });

  it.each([
    ["BODY_LIMIT", "64MB", "expected a size from 1 KiB to 512 MiB, such as 64MiB, got 64MB"],
    ["STREAM_LIMIT", "4097TiB", "expected a size from 1 KiB to 4096 TiB, such as 64MiB, got 4097TiB"],
    ["WORKERS", "1KiB", "expected a whole number from 0 to 256, got 1KiB"],
    ["LOG_LEVEL", "loud", "expected one of trace, debug, info, warn, error, fatal and silent, got loud"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf, got grpc"],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "expected http/protobuf, got http/json"],
    ["OTEL_TRACES_EXPORTER", "console", "expected one of otlp and none, got console"],
    ["OTEL_SDK_DISABLED", "1", "expected one of true and false, got 1"],
    [
      "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
      "c:4318",
      "expected an address like http://127.0.0.1:4318, got c:4318",
    ],
    [
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "http://[",
      "expected an address like http://127.0.0.1:4318, got http://[",
    ],
    [
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "ftp://bob:s3cret@h",
      "expected an address like http://127.0.0.1:4318, got ftp://***@h",
    ],
  ])("says what %s=%s should be", (name, value, text) => {
    expect(() => readConfig({ [name]: value })).toThrow(`${name}: ${text}`);
    expect(() => readConfig({}, { [name]: value })).toThrow(`--${flagOf(name)}: ${text}`);
  });

  it.each([
    ["65536", 65_536],
    ["64KiB", 65_536],
    ["64 MiB", 2 ** 26],
    ["2TiB", 2 ** 41],
    ["1GiB", 2 ** 30],
  ])("reads the size %s as %i bytes", (text, bytes) => {
    expect(readConfig({ STREAM_LIMIT: text }).STREAM_LIMIT).toBe(bytes);
    expect(readConfig({}, { STREAM_LIMIT: text }).STREAM_LIMIT).toBe(bytes);
  });

  it.each([
    ["the general address, with the path of spans", { ENDPOINT: "http://c:1/" }, "http://c:1/v1/traces"],
    ["the one for spans as it stands", { TRACES_ENDPOINT: "http://t:1/" }, "http://t:1/"],
    ["the one for spans first", { ENDPOINT: "http://c:1", TRACES_ENDPOINT: "http://t:1/x" }, "http://t:1/x"],
    [
      "no general one that would be refused",
      { ENDPOINT: "c:1", TRACES_ENDPOINT: "http://t:1" },
      "http://t:1",
    ],
    [
      "the protocol for spans first",
      { ENDPOINT: "http://c:1", PROTOCOL: "grpc", TRACES_PROTOCOL: "HTTP/Protobuf" },
      "http://c:1/v1/traces",
    ],
    ["none by default", {}, undefined],
  ])("of OTEL_EXPORTER_OTLP_* it takes %s", (_rule, variables, url) => {
    const env = Object.entries(variables).map(([name, value]) => [`OTEL_EXPORTER_OTLP_${name}`, value]);
    expect(spansUrl(readConfig(Object.fromEntries(env)))).toBe(url);
  });

  it.each([
    ["OTEL_SDK_DISABLED", "true"],
    ["OTEL_SDK_DISABLED", "TRUE"],
    ["OTEL_TRACES_EXPORTER", "none"],
  ])("with %s=%s nothing is traced, and other variables are not looked at", (name, value) => {
    const others = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:1", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
    expect(spansUrl(readConfig({ ...others, [name]: value }))).toBe(undefined);
  });

  it("says that there is no file of tokens", async () => {
    const { code, err } = await lossd([], { env: { TOKENS_FILE: "/nope" } });
    expect([code, err]).toEqual([1, "lossd: TOKENS_FILE=/nope: there is no such file\n"]);
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
    const { code, err } = await lossd(["--workers", workers], {
      env: { PORT: "0", [setting]: String(port) },
    });
    const flag = setting === "PORT" ? "--port" : "--metrics-port";
    const text = `lossd: HOST=127.0.0.1 ${setting}=${port}: the port is in use; choose another with ${flag}\n`;
    expect([code, err]).toEqual([1, text]);
  });

  it("says that this machine does not have an address, and which flag chooses another", async () => {
    const { code, err } = await lossd(["--host", "192.0.2.1", "--port", "0", "--workers", "1"]);
    const text = "HOST=192.0.2.1 PORT=0: this machine does not have the address; choose another with --host";
    expect([code, err]).toEqual([1, `lossd: ${text}\n`]);
  });
});

describe("a file of a token", () => {
  const read = (text: string): Promise<string | undefined> => {
    writeFileSync(inFolder("token"), text);
    return readToken("token", { ...silent, folder: inFolder("") });
  };

  it("has its token in the first line that counts", async () => {
    expect(await read("# ours\n\n sesame= \nother\n")).toBe("sesame=");
  });

  it.each(["Bearer s3cret", "s3cret\u0000", "s3crét", "пароль", "s3cret=x"])(
    "shows nothing of %j, which is no token",
    async (text) => {
      const wanted = "expected a token alone, of letters, digits and ._~+/-, with = at its end only";
      await expect(read(`\n${text}\n`)).rejects.toThrow(`--token-file token: line 2: ${wanted}`);
    },
  );

  it("is refused without a token", async () => {
    await expect(read("# none\n")).rejects.toThrow(
      "--token-file token: expected one token per line, got none",
    );
  });
});
