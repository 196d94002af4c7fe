/** What clients see when the server itself fails: internal_error outside, the cause only in the log. */
import Fastify from "fastify";
import { expect, it } from "vitest";
import { handleError } from "../../src/http/refuse.ts";

it("a stranger's exception is internal_error, without its text", async () => {
  const app = Fastify({ logger: false });
  app.setErrorHandler(handleError);
  app.get("/", () => {
    throw new Error("secret of /etc/passwd");
  });
  const answer = await app.inject({ url: "/" });
  expect(answer.statusCode).toBe(500);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json().code).toBe("internal_error");
  expect(answer.body).not.toContain("secret");
  await app.close();
});
