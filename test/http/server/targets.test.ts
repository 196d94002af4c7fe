/** Request targets in all their forms, and headers that a request may have once. */
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import type { Response } from "../../support/socket.ts";
import { exchange, parseResponse } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({ log: (line) => void lines.push(line) });
const locked = useService({ tokens: digestTokens(["secret"]) });

/** Sends a head as it stands, with Connection: close. */
async function ask(
  target: Service,
  line: string,
  fields = "host: x\r\n",
  version = "1.1",
): Promise<Response> {
  return parseResponse(
    await exchange(target, `${line} HTTP/${version}\r\n${fields}connection: close\r\n\r\n`),
  )!;
}

const detailOf = ({ body }: Response): unknown => JSON.parse(body).detail;

describe("a request", () => {
  it.each([
    ["without Host", "", "expected a Host header, got none"],
    ["with two Host headers", "host: x\r\nHost: x\r\n", "expected one Host header, got more"],
    [
      "with two Authorization headers",
      "host: x\r\nauthorization: Bearer secret\r\nAuthorization: Bearer secret\r\n",
      "expected one Authorization header, got more",
    ],
  ])("%s is malformed_request on every path, logged once", async (_title, fields, detail) => {
    for (const server of [service(), locked()]) {
      for (const line of ["GET /health/live", "POST /v1/nll_loss", "GET /nothing"]) {
        lines.length = 0;
        const answer = await ask(server, line, fields);
        expect([line, answer.status, detailOf(answer)]).toEqual([line, 400, detail]);
        if (server !== service()) continue;
        expect(lines.map((text) => JSON.parse(text).problem)).toEqual(["malformed_request"]);
      }
    }
  });

  it("in HTTP/1.0 needs no Host", async () => {
    expect((await ask(service(), "GET /health/live", "", "1.0")).status).toBe(200);
  });
});

describe("a request target", () => {
  it.each(["*", "/health/live#x", "/health/live?a#x", "http://x#/health/live", "http://#/health/live"])(
    "%s is malformed_request",
    async (target) => {
      const answer = await ask(service(), `GET ${target}`);
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "malformed_request"]);
    },
  );

  it("* of OPTIONS is the server, so 204 with Allow", async () => {
    const { status, headers } = await ask(service(), "OPTIONS *");
    expect([status, headers.allow]).toEqual([204, "GET, HEAD, OPTIONS"]);
  });

  it.each([
    ["GET", "/health/live", 200],
    ["GET", "/health/live?x=1", 200],
    ["GET", "/", 200],
    ["GET", "/metrics", 200],
    ["GET", "/v1/cross_entropy", 405],
    ["OPTIONS", "/v1/cross_entropy", 204],
    ["GET", "/v1/mse_loss", 404],
    ["GET", "/v2/mse_loss", 404],
  ])("as a URL is the same as its path: %s %s is %d", async (method, path, status) => {
    for (const origin of ["", "http://x", "HTTPS://example.org:8080"]) {
      const answer = await ask(service(), `${method} ${origin}${path}`);
      expect([origin, answer.status]).toEqual([origin, status]);
      if (status === 405) expect(answer.headers.allow).toBe("POST, OPTIONS");
      const isInference = path.startsWith("/v2");
      if (status >= 400) expect(Object.keys(JSON.parse(answer.body)).includes("error")).toBe(isInference);
    }
  });

  it.each([
    ["/%6detrics", 200],
    ["/%6Detrics", 200],
    ["/health/%6c%69ve", 200],
    ["/%76%32", 200],
    ["/%76%31/cross%5Fentropy", 405],
    ["/health%2Flive", 404],
    ["/%256detrics", 404],
    ["/%2e%2e/metrics", 404],
  ])("%s is the path of its decoded unreserved characters, so %d", async (target, status) => {
    expect((await ask(service(), `GET ${target}`)).status).toBe(status);
  });

  it("in the Open Inference Protocol has its errors, encoded or not", async () => {
    for (const target of ["/v2/nothing", "/%762/nothing", "http://x/v%32/nothing"])
      expect(JSON.parse((await ask(service(), `GET ${target}`)).body)).toEqual({
        error: expect.any(String),
      });
  });

  it.each([
    ["/health/live", 200],
    ["/health/%6cive", 200],
    ["http://x/health/live", 200],
    ["http://x", 200],
    ["/metrics", 401],
    ["/%6detrics", 401],
    ["http://x/metrics", 401],
    ["http://health/live", 401],
    ["http://x/metrics?/health/live", 401],
    ["/metrics?x=http://x/health/live", 401],
    ["/health/live%2F..%2F..%2Fmetrics", 401],
    ["/guide/%2e%2e", 404],
  ])("%s is %d without a token, where tokens are configured", async (target, status) => {
    expect((await ask(locked(), `GET ${target}`)).status).toBe(status);
  });
});
