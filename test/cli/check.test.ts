/** `lossd check`, against servers that work and servers that do not. */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../src/http/server/auth.ts";
import {
  begin,
  endOf,
  fake,
  fakeBytes,
  freeAddress,
  INTERIM,
  lossd,
  SWITCH,
  useFolder,
} from "../support/command.ts";
import { useService } from "../support/service.ts";

const inFolder = useFolder();
const CONTRACT = '{"openapi":"3.1.0","info":{"title":"lossd"}}';

describe("lossd check", () => {
  const service = useService();
  const guarded = useService({ tokens: digestTokens(["sesame"]) });

  it("passes on a server that works", async () => {
    const { code, out } = await lossd(["check", service().url]);
    expect(out).toMatch(/^(ok {4}[^\n]+\n)+(\d+) of \2 checks passed on http/);
    expect(code).toBe(0);
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
    const file = inFolder("token");
    writeFileSync(file, "# ours\nsesame\n");
    expect((await lossd(["check", guarded().url, "--token-file", file])).code).toBe(0);
  });

  it("stops where the server asks for a token, or does not take it", async () => {
    const { code, out } = await lossd(["check", guarded().url]);
    expect(code).toBe(1);
    const asks = "FAIL  it is lossd, with a contract: the server requires a token: --token-file FILE";
    expect(out).toMatch(
      new RegExp(`^ok .*\\n${asks}\\n1 of 2 checks passed on http.*; the other 8 were not run\\n$`),
    );
    const file = inFolder("wrong");
    writeFileSync(file, "open\n");
    const other = await lossd(["check", guarded().url, "--token-file", file]);
    expect(other.out).toContain("FAIL  it is lossd, with a contract: the server rejected the token of");
  });

  it("finds the file of the token where the person is, behind npm too", async () => {
    writeFileSync(inFolder("here"), "sesame\n");
    const args = ["check", guarded().url, "--token-file", "here"];
    const npm = { npm_lifecycle_event: "lossd", npm_package_name: "lossd", INIT_CWD: inFolder("") };
    expect((await lossd(args, { cwd: inFolder("") })).code).toBe(0);
    expect((await lossd(args, { env: npm })).code).toBe(0);
    expect((await lossd(args)).err).toBe("lossd: --token-file here: there is no such file\n");
  });

  it("says what a server that is wrong has answered, and where", async () => {
    const url = await fake(({ url }, response) => {
      response.end(url === "/openapi.json" ? CONTRACT : '{"loss":1.3,"total_weight":3,"grad_input":[]}');
    });
    const { code, out } = await lossd(["check", url]);
    expect(code).toBe(1);
    expect(out).toContain(
      "FAIL  cross_entropy of 3x5 with its gradient: the response, /loss: expected 1.2848786115646362, got 1.3\n",
    );
    expect(out).toMatch(/^2 of 10 checks passed/m);
  });

  it("stops at a server that is not lossd", async () => {
    const url = await fake((_request, response) => void response.end("<p>hello"));
    const { code, out } = await lossd(["check", url]);
    expect(code).toBe(1);
    expect(out).toMatch(/FAIL {2}it is lossd, with a contract: this is not lossd: .+\n1 of 2 checks passed/);
  });

  it("stops at a server that sends elsewhere, and does not follow with the token", async () => {
    const url = await fake((_request, response) => {
      response.writeHead(308, { location: "https://bob:s3cret@host/" }).end();
    });
    const { out } = await lossd(["check", url]);
    expect(out).toContain("FAIL  it is ready: the server redirects to https://***@host/");
  });

  it("ends at once where no server is, and counts only what it tried", async () => {
    const place = await freeAddress();
    const { code, out } = await lossd(["check", `http://${place}`]);
    expect(code).toBe(1);
    expect(out).toBe(
      `FAIL  it is ready: nothing listens on ${place}: is lossd running there?\n` +
        `0 of 1 checks passed on http://${place}/; the other 9 were not run\n`,
    );
    const { ok, results } = JSON.parse((await lossd(["check", `http://${place}`, "--json"])).out);
    expect([ok, results.length]).toEqual([false, 1]);
  });

  it("says that a server does not speak TLS", async () => {
    const { host } = new URL(service().url);
    const { out } = await lossd(["check", `https://${host}`]);
    expect(out).toContain(`FAIL  it is ready: the server does not speak TLS there: try http://${host}\n`);
  });

  it("reads no more than 1 MiB of an answer without end", async () => {
    const url = await fake((request, response) => {
      if (request.url === "/openapi.json") return void response.end(CONTRACT);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const { code, out } = await lossd(["check", url]);
    expect(code).toBe(1);
    expect(out).toContain("FAIL  it is ready: expected a response of at most 1048576 bytes, got more\n");
  });

  it("shows the beginning of an answer, without its control characters", async () => {
    const url = await fake((request, response) => {
      response.end(request.url === "/openapi.json" ? CONTRACT : `\x1b[2J\u009b${"x".repeat(2000)}`);
    });
    const { out } = await lossd(["check", url]);
    expect(out).toContain("expected JSON, got status 200: \\u001b[2J\\u009bxxx");
    expect(out).not.toMatch(/[^\P{Cc}\n]/u);
    for (const line of out.split("\n")) expect(line.length).toBeLessThan(400);
  });

  it.each([
    ["that changes the protocol", SWITCH, "got status 101"],
    ["cut off", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "the response was cut off"],
    ["of interim ones without end", INTERIM.repeat(1000), "got 101 interim responses"],
    ["of nothing", "", "the server closed the connection without a response"],
    ["of TLS", "\x15\x03\x01", "the server does not speak HTTP there"],
  ])("fails in words on an answer %s", async (_title, answer, text) => {
    const { code, out } = await lossd(["check", await fakeBytes(answer)]);
    expect(code).toBe(1);
    expect(out).toContain("FAIL  it is ready: ");
    expect(out).toContain(text);
  });

  it("gives up a server that says nothing", async () => {
    const { out } = await lossd(["check", await fakeBytes(() => {}), "--timeout", "1"]);
    expect(out).toContain("FAIL  it is ready: no response within 1 s\n0 of 1 checks passed");
  });

  it("gives up an answer that does not end, although its status was right", async () => {
    const url = await fakeBytes((socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\nx"));
    const { code, out } = await lossd(["check", url, "--timeout", "1"]);
    expect(code).toBe(1);
    expect(out).toContain("FAIL  it is ready: no response within 1 s\n0 of 1 checks passed");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
    ["SIGUSR2", 140],
  ] as const)("ends on %s with %d while it waits", async (signal, code) => {
    const asked = Promise.withResolvers<void>();
    const child = begin(["check", await fakeBytes(() => asked.resolve()), "--timeout", "600"]);
    const end = endOf(child);
    await asked.promise;
    child.kill(signal);
    const { code: got, out, err } = await end;
    expect([got, err]).toEqual([code, `lossd: stopped by ${signal}\n`]);
    expect(out).toMatch(/^0 of 0 checks passed on .*; the other 10 were not run\n$/);
  });

  it("says why nobody can read its results", async () => {
    const full = openSync("/dev/full", "w");
    const { code, err } = await lossd(["check", service().url], { stdout: full });
    closeSync(full);
    expect([code, err]).toEqual([1, expect.stringMatching(/^lossd: standard output: ENOSPC\b.*\n$/)]);
  });
});
