/** Requests that are refused below the routes are logged, counted and answered like all others. */
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { useService } from "../../support/service.ts";
import { exchange, post } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({ log: (line) => void lines.push(line) });
const locked = useService({ tokens: digestTokens(["secret"]) });

const EXPECTS = "GET /health/live HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n\r\n";
const BAD_PATH = "GET /%E0%A4%A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/** Refusals of a code, and requests of a status, as /metrics counts them. */
async function counts(code: string, status: number): Promise<number[]> {
  const { text } = await service().get("/metrics");
  return [
    `lossd_refusals_total{reason="${code}"}`,
    `lossd_requests_total{operation="other",status="${status}"}`,
  ].map((name) =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(name))
        ?.slice(name.length) ?? 0,
    ),
  );
}

describe.each([
  ["a path that cannot be decoded", BAD_PATH, "malformed_request", 400],
  ["an expectation that nobody meets", EXPECTS, "expectation_failed", 417],
  ["what is no HTTP", "NONSENSE\r\n\r\n", "malformed_request", 400],
  ["headers over 16 KiB", `GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, "headers_too_large", 431],
])("%s", (_title, bytes, code, status) => {
  it("is counted once, logged once under the answer's request id, and nosniff", async () => {
    const before = await counts(code, status);
    const answer = await exchange(service(), bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.toLowerCase()).toContain("x-content-type-options: nosniff");
    const [, id] = /x-request-id: (\S+)/i.exec(answer)!;
    const logged = () => lines.map((line) => JSON.parse(line)).filter(({ reqId }) => reqId === id);
    await expect.poll(logged).toEqual([expect.objectContaining({ status, problem: code, msg: "request" })]);
    expect(await counts(code, status)).toEqual(before.map((count) => count + 1));
  });
});

it.each([
  ["a path that cannot be decoded", BAD_PATH],
  ["an expectation that nobody meets", EXPECTS.replace("/health/live", "/v1/nll_loss")],
])("%s is 401 without a token, where tokens are configured", async (_title, bytes) => {
  expect(await exchange(locked(), bytes)).toMatch(/^HTTP\/1.1 401 /);
});

it("refusals without a body have Connection: close while the server stops", async () => {
  service().lifecycle.phase = "stopping";
  const answers = [await service().get("/%E0%A4%A"), await service().get("/x")];
  service().lifecycle.phase = "ready";
  expect(answers.map(({ status, headers }) => [status, headers.connection])).toEqual([
    [400, "close"],
    [404, "close"],
  ]);
});

it("an expectation that nobody meets never stands in the middle of the answer before it", async () => {
  const body = `{"dim":0,"input":[${"1,".repeat(300_000)}1]}`;
  const answer = await exchange(service(), post("/v1/log_softmax", body) + EXPECTS);
  expect(answer).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n0\r\n\r\nHTTP\/1.1 417 /);
});
