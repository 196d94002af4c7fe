/** What clients see when the server itself fails: internal_error outside, the cause only in the log. */
import Fastify from "fastify";
import pino from "pino";
import { expect, it } from "vitest";
import { statusExamples } from "../../../src/http/openapi/status-examples.ts";
import { handleError } from "../../../src/http/server/send-problem.ts";

it("a stranger's exception is internal_error, with its text in the log alone, under the same request id", async () => {
  const lines: string[] = [];
  const app = Fastify({ loggerInstance: pino({}, { write: (line: string) => void lines.push(line) }) });
  app.setErrorHandler(handleError);
  app.get("/", () => {
    throw new Error("secret of /etc/passwd");
  });
  const answer = await app.inject({ url: "/" });
  expect(answer.statusCode).toBe(500);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  const examples = statusExamples(500, { method: "post", path: "/v1/nll_loss" });
  expect({ ...answer.json(), request_id: "example" }).toEqual(examples.internal_error!.value);
  expect(answer.body).not.toContain("secret");
  const causes = lines.map((line) => JSON.parse(line)).filter(({ err }) => err !== undefined);
  expect(causes).toEqual([
    expect.objectContaining({
      level: pino.levels.values.error,
      reqId: answer.json().request_id,
      err: expect.objectContaining({ message: "secret of /etc/passwd" }),
    }),
  ]);
  await app.close();
});
