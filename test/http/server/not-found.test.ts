/** A path that is not there is answered with what was probably meant. */
import { expect, it } from "vitest";
import { useService } from "../../support/service.ts";

const service = useService();

it.each([
  ["/v1/crossentropy", "POST /v1/cross_entropy"],
  ["/v1/cross-entropy", "POST /v1/cross_entropy"],
  ["/v1/CrossEntropy", "POST /v1/cross_entropy"],
  ["/v1/cross_entropy/", "POST /v1/cross_entropy"],
  ["/cross_entropy", "POST /v1/cross_entropy"],
  ["/v2/nll_loss", "POST /v1/nll_loss"],
  ["/v1/logsoftmx", "POST /v1/log_softmax"],
  ["/healthz", "GET /health/ready"],
  ["/readyz", "GET /health/ready"],
  ["/health", "GET /health/ready"],
  ["/livez", "GET /health/live"],
  ["/openapi", undefined],
  ["/v1", undefined],
  ["/v1/", undefined],
  ["/openapi.jsn", "GET /openapi.json"],
  ["/v2/models/cross-entropy/infer", "POST /v2/models/cross_entropy/infer"],
])("%s: did you mean %s?", async (path, meant) => {
  const hint =
    meant === undefined
      ? "/openapi.json lists the operations and /docs shows them"
      : `did you mean ${meant}?`;
  const { status, json } = await service().get(path);
  expect([status, json.detail ?? json.error]).toEqual([404, `nothing is at ${path}; ${hint}`]);
});

it.each(["/v1/mse_loss", "/x", "/favicon.ico", `/${"v1/cross_entropy".repeat(500)}`])(
  "where nothing is near, %s is answered with where to look",
  async (path) => {
    const { status, json, text } = await service().get(path);
    expect(status).toBe(404);
    expect(json.detail).toMatch(/; \/openapi\.json lists the operations and \/docs shows them$/);
    expect(text.length).toBeLessThan(500);
  },
);

it.each(["/docs/static/nope.js", "/docs/static/*"])(
  "%s is a file that is not there, and no wrong method",
  async (path) => {
    const { status, headers, json } = await service().get(path);
    expect([status, headers.allow, json.code]).toEqual([404, undefined, "not_found"]);
  },
);
