/** The contract as files: up to date, linted, and true of the server. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, it } from "vitest";
import { renderContract } from "../../../openapi/render.ts";
import { ERROR_EXAMPLES, EXAMPLES } from "../../../src/http/openapi/examples/index.ts";
import { INFERENCE_EXAMPLES } from "../../../src/http/openapi/inference-examples.ts";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import { PROBLEMS, Problem } from "../../../src/problems.ts";
import { DTYPES } from "../../../src/tensor/dtype.ts";
import { expectAlmost } from "../../support/almost.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import type { Response } from "../../support/socket.ts";
import { dial, responseOf } from "../../support/socket.ts";

const read = (file: string): string =>
  readFileSync(new URL(`../../../openapi/${file}`, import.meta.url), "utf8");
const document = JSON.parse(read("openapi.json"));
const service = useService();
/** Has had no inference, so its statistics are those of the examples. */
const fresh = useService();

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, "contract");
const schemaOf = (name: string) => ajv.getSchema(`contract#/components/schemas/${name}`)!;

it("openapi/ is what `npm run openapi` writes", async () => {
  const { json, yaml, json30 } = await renderContract();
  expect(read("openapi.json")).toBe(json);
  expect(read("openapi.yaml")).toBe(yaml);
  expect(read("openapi-3.0.json")).toBe(json30);
});

it("GET /openapi.json, /openapi.yaml and /openapi-3.0.json answer the same bytes", async () => {
  expect((await service().get("/openapi-3.0.json")).text).toBe(read("openapi-3.0.json"));
  expect((await service().get("/openapi.json")).text).toBe(read("openapi.json"));
  expect((await service().get("/openapi.yaml")).text).toBe(read("openapi.yaml"));
});

it.each(["/openapi.json", "/openapi.yaml", "/openapi-3.0.json"])(
  "GET %s answers 304 to a client that has the document",
  async (path) => {
    const { headers } = await service().get(path);
    const again = await service().get(path, { "if-none-match": String(headers.etag) });
    expect([again.status, again.text]).toEqual([304, ""]);
    expect((await service().get(path, { "if-none-match": '"other"' })).status).toBe(200);
  },
);

it.each(["openapi.json", "openapi-3.0.json"])(
  "%s has no errors and no warnings under Redocly's recommended rules",
  (file) => {
    const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
    const report = execFileSync("node_modules/.bin/redocly", ["lint", `openapi/${file}`, "--format=json"], {
      env,
      encoding: "utf8",
    });
    const { totals, problems } = JSON.parse(report.slice(report.indexOf("{")));
    expect(problems).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0 });
  },
  60_000,
);

interface Media {
  readonly schema: { readonly $ref?: string };
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Content {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Record<string, Media>;
}
interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly requestBody?: Content;
  readonly responses: Record<string, Content>;
  /** Undefined: the server's own, which may ask for a token. */
  readonly security?: readonly unknown[];
}

it("describes each operation in a line and in sentences", () => {
  for (const [path, item] of Object.entries<Record<string, Operation>>(document.paths)) {
    for (const { summary, description } of Object.values(item)) {
      expect(summary, path).toMatch(/\w$/);
      expect(description, path).toMatch(/\.$/);
    }
  }
});

it("closes requests alone: answers may gain fields, and refusals codes", () => {
  const isClosed = ([, schema]: [string, { additionalProperties?: unknown }]): boolean =>
    schema.additionalProperties === false;
  const { schemas } = document.components;
  const closed = Object.entries<{ additionalProperties?: unknown }>(schemas).filter(isClosed);
  const sent = ["Tensor", "InferenceInput"];
  for (const [name] of closed) expect(name.endsWith("Request") || sent.includes(name), name).toBe(true);
  const text = JSON.stringify(schemas);
  for (const name of Object.keys(schemas).filter((name) => name.endsWith("Result"))) {
    expect(text.includes(`schemas/${name}"`), name).toBe(false);
    expect(JSON.stringify(schemas[name])).not.toMatch(/schemas\/(Tensor|TensorLike|NestedTensor)"/);
  }
  expect(schemas.ProblemCode).toMatchObject({ type: "string" });
  expect(schemas.ProblemCode).not.toHaveProperty("enum");
  for (const word of Object.keys(PROBLEMS)) expect(schemas.ProblemCode.description).toContain(`\`${word}\``);
});

it("gives every number and integer a format, and log_softmax's dtype the floating-point types alone", () => {
  const visit = (place: string, part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    const { type, format } = part as { type?: unknown; format?: unknown };
    if (type === "number") expect(format, place).toBe("double");
    if (type === "integer") expect(format, place).toMatch(/^int(32|64)$/);
    for (const [name, value] of Object.entries(part)) visit(`${place}/${name}`, value);
  };
  visit("", document.components.schemas);
  for (const [path, { post }] of Object.entries<Record<string, { parameters?: unknown }>>(document.paths))
    visit(path, post?.parameters);
  const isFloatName = schemaOf("FloatDType");
  for (const [name, { float }] of Object.entries(DTYPES)) expect(isFloatName(name), name).toBe(float);
  const [type] = document.components.schemas.LogSoftmaxRequest.properties.dtype.anyOf;
  expect(type.$ref).toMatch(/FloatDType$/);
});

it("names every schema: no inline object in a request or an answer", () => {
  for (const [path, item] of Object.entries<Record<string, Operation>>(document.paths)) {
    for (const { requestBody, responses } of Object.values(item)) {
      const parts = [...Object.values(responses), ...(requestBody ? [requestBody] : [])];
      for (const { schema } of parts.flatMap(({ content }) => Object.values(content ?? {}))) {
        expect(schema.$ref, path).toMatch(/^#\/components\/schemas\/\w+$/);
      }
    }
  }
});

it("lists for each operation the statuses that the problem table can give it", () => {
  const ofBodies = new Set(Object.values(PROBLEMS).map(({ status }) => String(status)));
  ofBodies.delete("405");
  for (const path of Object.keys(EXAMPLES)) {
    expect(Object.keys(document.paths[path].post.responses).sort(), path).toEqual(
      ["200", ...ofBodies].sort(),
    );
  }
});

it("answers of the Open Inference Protocol have the schemas of the document", async () => {
  const input = { name: "input", shape: [2], datatype: "FP32", data: [0, "-Infinity"] };
  const model = "/v2/models/log_softmax";
  const body = { id: "1", inputs: [input] };
  expect(schemaOf("InferenceRequest")(body)).toBe(true);
  for (const [name, answer] of [
    ["InferenceServer", await service().get("/v2")],
    ["InferenceReady", await service().get("/v2/health/live")],
    ["InferenceReady", await service().get(`${model}/versions/1/ready`)],
    ["InferenceModel", await service().get(model)],
    ["InferenceModel", await service().get("/v2/models/cross_entropy")],
    ["InferenceConfig", await service().get(`${model}/config`)],
    ["InferenceConfig", await service().get("/v2/models/nll_loss/versions/1/config")],
    ["InferenceStatistics", await service().get(`${model}/stats`)],
    ["InferenceStatistics", await service().get("/v2/models/stats")],
    ["InferenceResponse", await service().post(`${model}/infer`, body)],
    ["InferenceError", await service().post(`${model}/infer`, {})],
  ] as const) {
    const validate = schemaOf(name);
    expect(validate(answer.json), `${name} ${JSON.stringify(validate.errors)} ${answer.text}`).toBe(true);
  }
});

describe("refusals", () => {
  const locked = useService({ tokens: digestTokens(["secret"]) });
  const hasty = useService({ limits: { ...LIMITS, graceMs: 0 } });
  const full = useService();
  const stopping = useService();
  // As a process whose group is silent.
  const silent = new Problem("overloaded", "the cluster does not respond now");
  const alone = useService({ metricsText: () => Promise.reject(silent) });
  beforeAll(() => {
    const { arena } = full();
    arena.reserve(arena.largest - 1_000_000);
    while (arena.capacity - arena.reserved > 60_000) arena.reserve(30_000);
    stopping().lifecycle.phase = "stopping";
  });

  const JSON_BODY = "content-type: application/json\r\ncontent-length:";
  /** For each status the head, and the body, of a request that gets it. */
  const WAYS: Readonly<Record<string, readonly [ask: () => Service, head: string, body?: string]>> = {
    400: [service, `${JSON_BODY} 20`, '{"input": [[0, 1],]}'],
    401: [locked, `${JSON_BODY} 2`],
    404: [service, `${JSON_BODY} 2`],
    406: [service, `accept: text/html\r\n${JSON_BODY} 2`],
    408: [hasty, `${JSON_BODY} 2`, "{"],
    411: [service, "content-type: application/json"],
    413: [service, `${JSON_BODY} 1000000000000`],
    415: [service, "content-type: text/plain\r\ncontent-length: 2"],
    417: [service, "expect: tea"],
    422: [service, `${JSON_BODY} 2`, "{}"],
    431: [service, `x: ${"y".repeat(20_000)}`],
    503: [full, `${JSON_BODY} 2`],
  };
  const rows = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [method.toUpperCase(), path, operation] as const),
  );

  it.each(rows)("%s %s answers each as the document says", async (method, path, { responses, security }) => {
    // Nobody can ask for a 500; test/http/server/failure.test.ts looks at one.
    const statuses = Object.keys(responses).filter((status) => !["200", "500"].includes(status));
    for (const status of statuses) {
      const [ask, head, body = ""] = WAYS[status]!;
      // A GET has no body: it is turned away for its head, its token, or because the server stops or cannot count.
      const ofGet = status === "400" ? "transfer-encoding: gzip, chunked\r\n" : "";
      const more = method === "GET" && head.startsWith(JSON_BODY) ? ofGet : `${head}\r\n`;
      const unready = path.endsWith("/stats") ? alone : stopping;
      const server = method === "GET" && status === "503" ? unready() : ask();
      // A client gets 404 where its address of the server is wrong.
      const target = status === "404" ? `${path}/nothing` : path;
      const id = "x-request-id: example\r\n";
      const text = method === "GET" ? "" : body;
      const answer = await refusalOf(
        server,
        `${method} ${target} HTTP/1.1\r\nhost: x\r\n${id}${more}\r\n${text}`,
      );
      expect(answer.status, answer.body).toBe(Number(status));
      const { content = {}, headers = {} } = responses[status]!;
      const type = answer.headers["content-type"]!.replace("; charset=utf-8", "");
      expect(Object.keys(content), `${status}: ${answer.body}`).toContain(type);
      const validate = ajv.getSchema(`contract${content[type]!.schema.$ref}`)!;
      expect(validate(JSON.parse(answer.body)), `${status}: ${answer.body}`).toBe(true);
      expectExample(content[type]!, JSON.parse(answer.body), path);
      const isCoding = answer.body.includes("unsupported_content_encoding");
      for (const name of ["Accept-Encoding", "Retry-After", "WWW-Authenticate"]) {
        const isExpected = name in headers && (name !== "Accept-Encoding" || isCoding);
        expect(name.toLowerCase() in answer.headers, `${status}: ${name}`).toBe(isExpected);
      }
    }
    expect(security === undefined, "asks for a token").toBe(statuses.includes("401"));
    // Nor is there one that it leaves out: without a token some paths are open, all others are not.
    const unknown = await refusalOf(locked(), `${method} ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    if (unknown.status === 401) expect(statuses).toContain("401");
  });
});

/** Expects that an answer is one of the examples of its status. The operations of /v1 have many of 422, each of which is sent below. */
function expectExample(media: Media, answer: Record<string, unknown>, path: string): void {
  if (answer.status === 422 && path.startsWith("/v1/")) return;
  // The time is longer without a first byte, and a head that is too large has no id that can be read.
  const timeless = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll(/[\d.]+ s of waiting/g, "# s of waiting"));
  const expected = answer.status === 431 ? { ...answer, request_id: "example" } : answer;
  expect(examplesOf(media).map(timeless)).toContainEqual(timeless(expected));
}

const examplesOf = ({ example, examples = {} }: Media): unknown[] =>
  example === undefined ? Object.values(examples).map(({ value }) => value) : [example];

/** What a server answers to these bytes, as soon as all of it is there. */
async function refusalOf(target: Service, bytes: string): Promise<Response> {
  const connection = await dial(target);
  connection.socket.write(bytes);
  return responseOf(connection);
}

it("has an example for every status of every operation, of the response's schema", () => {
  let count = 0;
  for (const [path, item] of Object.entries<Record<string, Operation>>(document.paths)) {
    for (const { responses } of Object.values(item)) {
      for (const [status, { content = {} }] of Object.entries(responses)) {
        // Bytes, which docs/formats.md shows.
        const texts = Object.entries(content).filter(([type]) => type.endsWith("json"));
        for (const [type, media] of texts) {
          const validate = ajv.getSchema(`contract${media.schema.$ref}`)!;
          const values = examplesOf(media);
          expect(values.length, `${path} ${status} ${type}`).toBeGreaterThan(0);
          for (const value of values)
            expect(validate(value), `${path} ${status} ${JSON.stringify(validate.errors)}`).toBe(true);
          for (const { status: own } of values as { status?: unknown }[])
            if (typeof own === "number") expect(own, path).toBe(Number(status));
          count += values.length;
        }
        expect(texts.length, `${path} ${status}`).toBeGreaterThan(0);
      }
    }
  }
  expect(count).toBeGreaterThan(300);
});

const GETS = Object.entries<Record<string, Operation>>(document.paths).filter(([, { get }]) => get);

it.each(GETS)("GET %s answers its example", async (path, { get }) => {
  const [media] = Object.values(get!.responses["200"]!.content!);
  const { status, json } = await fresh().get(path);
  expect(status).toBe(200);
  expect(json).toEqual(examplesOf(media!)[0]);
});

const INFERENCES = Object.entries(INFERENCE_EXAMPLES);

it.each(INFERENCES)("the model %s answers its example", async (model, { request, response }) => {
  expect(schemaOf("InferenceRequest")(request)).toBe(true);
  const { status, json } = await service().post(`/v2/models/${model}/infer`, request);
  expect(status).toBe(200);
  const { outputs, ...rest } = json;
  const { outputs: expected, ...others } = response as { outputs: { data: number[] }[] };
  expect(rest).toEqual(others);
  expectAlmost(
    outputs.map(({ data }: { data: number[] }) => data),
    expected.map(({ data }) => data),
  );
  const blank = (list: readonly object[]) => list.map((output) => ({ ...output, data: [] }));
  expect(blank(outputs)).toEqual(blank(expected));
});

describe("examples", () => {
  const rows = Object.entries(EXAMPLES).flatMap(([path, examples]) =>
    Object.entries(examples).map(([name, example]) => [path, name, example] as const),
  );
  const named = (path: string, part: string) =>
    path.replace("/v1/", "").replace(/(^|_)(\w)/g, (_, __, letter) => letter.toUpperCase()) + part;

  it.each(rows)("%s %s answers what the document says", async (path, _name, { request, response }) => {
    const answer = await service().post(path, request);
    expect(answer.status, answer.text).toBe(200);
    expectAlmost(answer.json, response);
    for (const [part, value] of [
      ["Request", request],
      ["Result", answer.json],
    ] as const) {
      const validate = schemaOf(named(path, part));
      expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    }
  });

  it.each(ERROR_EXAMPLES.map((example) => [example.response.code, example] as const))(
    "%s is refused as the document says",
    async (_name, example) => {
      const answer = await service().post(example.path, example.request, { "x-request-id": "example" });
      expect(answer.status, answer.text).toBe(example.response.status);
      expect(answer.json).toEqual(example.response);
      expect(schemaOf("Problem")(answer.json)).toBe(true);
    },
  );

  it("every refusal of a JSON body has one", () => {
    const codes = new Set(ERROR_EXAMPLES.map(({ response }) => response.code as string));
    const bodies = Object.entries(PROBLEMS)
      .filter(([code, { status }]) => [400, 422].includes(status) && !code.endsWith("_safetensors"))
      .map(([code]) => code);
    // Not to be shown as JSON: compressed bytes, a broken head, a query string.
    expect(bodies.filter((code) => !codes.has(code)).sort()).toEqual([
      "malformed_content_encoding",
      "malformed_request",
      "unknown_query_parameter",
    ]);
  });
});
