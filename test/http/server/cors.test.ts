/** CORS_ORIGINS: pages of other origins in a browser. */
import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../../src/config/config.ts";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const APP = "https://app.example.org";
const CE = "/v1/cross_entropy";
const BODY = { input: [[0, 0]], target: [1] };
const PREFLIGHT = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "content-type",
};

const none = useService();
const some = useService({
  origins: ["http://localhost:5173", APP],
  tokens: digestTokens(["secret-token"]),
  bodyLimit: 1024,
});
const all = useService({ origins: ["*"] });

const TOKEN = { authorization: "Bearer secret-token" };

const corsOf = (headers: Record<string, unknown>) =>
  Object.keys(headers).filter((name) => name.startsWith("access-control-") || name === "vary");

describe("without origins", () => {
  it("no answer has a header of CORS, and a preflight is a plain OPTIONS", async () => {
    const answer = await none().post(CE, BODY, { origin: APP });
    expect([answer.status, corsOf(answer.headers)]).toEqual([200, []]);
    const preflight = await none().send("OPTIONS", CE, undefined, { origin: APP, ...PREFLIGHT });
    expect([preflight.status, preflight.headers.allow, corsOf(preflight.headers)]).toEqual([
      204,
      "POST, OPTIONS",
      [],
    ]);
  });
});

describe("with origins", () => {
  it.each(["/v1/cross_entropy", "/v2/models/nll_loss/infer", "/not/there"])(
    "a preflight for %s is 204 without a token, and names methods, headers and a time, and no credentials",
    async (path) => {
      const { status, headers, bytes } = await some().send("OPTIONS", path, undefined, {
        origin: APP,
        ...PREFLIGHT,
      });
      expect([status, bytes.length]).toEqual([204, 0]);
      expect(headers).toMatchObject({
        "access-control-allow-origin": APP,
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-max-age": "7200",
        vary: "origin",
      });
      for (const name of ["authorization", "content-encoding", "content-type", "x-request-id", "traceparent"])
        expect(String(headers["access-control-allow-headers"]).split(", ")).toContain(name);
      expect(headers["access-control-allow-credentials"]).toBeUndefined();
    },
  );

  it.each([
    ["a loss", () => some().post(CE, BODY, { origin: APP, ...TOKEN }), 200],
    ["a refused body", () => some().post(CE, {}, { origin: APP, ...TOKEN }), 422],
    ["a missing token", () => some().post(CE, BODY, { origin: APP }), 401],
    ["an unknown path", () => some().get("/x", { origin: APP, ...TOKEN }), 404],
    ["a path that is none", () => some().get("/%zz", { origin: APP, ...TOKEN }), 400],
    ["another method", () => some().send("PUT", CE, undefined, { origin: APP, ...TOKEN }), 405],
    ["a page", () => some().get("/", { origin: APP }), 200],
  ] as const)("the answer to %s can be read by the page", async (_what, ask, expected) => {
    const { status, headers } = await ask();
    expect(status).toBe(expected);
    expect(headers["access-control-allow-origin"]).toBe(APP);
    expect(String(headers["access-control-expose-headers"]).split(", ")).toEqual(
      expect.arrayContaining(["x-request-id", "retry-after", "inference-header-content-length"]),
    );
    expect(String(headers.vary).split(", ")).toContain("origin");
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
  });

  it("an answer that streams back can be read by the page", async () => {
    const file = writeTestFile({ input: tensor("float32", [100, 10], (at) => at % 7) });
    const { status, headers } = await some().send("POST", "/v1/log_softmax?dim=1", file, {
      "content-type": "application/vnd.safetensors",
      origin: APP,
      ...TOKEN,
    });
    expect([status, headers["access-control-allow-origin"]]).toEqual([200, APP]);
  });

  it.each([
    `${APP}.evil.org`,
    "http://app.example.org",
    `${APP}:8443`,
    "null",
    "",
    "https://APP.example.org",
  ])(
    "the origin %j is another one: no permission, and its preflight asks for a token as OPTIONS does",
    async (origin) => {
      const answer = await some().post(CE, BODY, { origin, ...TOKEN });
      expect([answer.status, corsOf(answer.headers)]).toEqual([200, ["vary"]]);
      const preflight = await some().send("OPTIONS", CE, undefined, { origin, ...PREFLIGHT });
      expect([preflight.status, corsOf(preflight.headers)]).toEqual([401, ["vary"]]);
    },
  );

  it("* is every origin, and needs no Vary", async () => {
    const { headers } = await all().post(CE, BODY, { origin: "https://anybody.example" });
    expect([headers["access-control-allow-origin"], headers.vary]).toEqual(["*", undefined]);
    const own = await all().post(CE, BODY);
    expect(corsOf(own.headers)).toEqual([]);
  });
});

describe("CORS_ORIGINS", () => {
  it.each(["", "*", APP, `${APP}, http://localhost:5173`])("takes %j", (CORS_ORIGINS) => {
    expect(readConfig({ CORS_ORIGINS }).CORS_ORIGINS).toBe(CORS_ORIGINS);
  });

  it.each([
    "app.example.org",
    `${APP}/`,
    `${APP}:443`,
    `${APP};${APP}`,
    `${APP},`,
    "null",
    "ftp://x",
    "https://A.org",
  ])("refuses %j, since no browser writes an origin so", (CORS_ORIGINS) => {
    expect(() => readConfig({ CORS_ORIGINS })).toThrow(ConfigError);
    expect(() => readConfig({ CORS_ORIGINS })).toThrow(
      /^CORS_ORIGINS: expected \* or comma-separated origins like https:/,
    );
  });
});
