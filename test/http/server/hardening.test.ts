/** Clients that are slow, greedy, unknown or ambiguous, on raw sockets. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import { readTokenLines } from "../../../src/server/tokens-file.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import { dial, exchange, head, post, untilClosed } from "../../support/socket.ts";

const service = useService({ bodyLimit: 1_000_000 });
const CE = "/v1/cross_entropy";
const BODY = '{"input":[[0,0]],"target":[1]}';
const SMALL = post(CE, BODY);

/** What a server answers to these bytes, until it has said `until`. */
async function say(target: Service, bytes: string, until: RegExp): Promise<string> {
  const { socket, text } = await dial(target);
  socket.write(bytes);
  await expect.poll(text, { interval: 5 }).toMatch(until);
  return text();
}

describe("Expect: 100-continue", () => {
  it("gets its 100 when the request is accepted, then the answer", async () => {
    const { socket, text } = await dial(service());
    socket.write(head(CE, BODY.length, "expect: 100-continue\r\n"));
    await expect.poll(text).toContain("HTTP/1.1 100 Continue");
    expect(text()).not.toContain("200");
    socket.write(BODY);
    await expect.poll(text).toContain('"loss":0.6931472');
  });

  it.each([
    ["too large", head(CE, 2_000_000, "expect: 100-continue\r\n"), 413],
    ["of another type", head(CE, 5, "content-type: text/plain\r\nexpect: 100-continue\r\n"), 415],
    [
      "to an unknown path",
      "POST /v1/mse HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
      404,
    ],
  ])("gets the final status and no 100 where the request is %s", async (_title, request, status) => {
    const text = await exchange(service(), request);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).not.toContain("100 Continue");
  });

  const file = (query: string): string =>
    `POST ${CE}${query} HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.safetensors\r\nexpect: 100-continue\r\ncontent-length: 900000000\r\n\r\n`;

  it.each([
    ["unknown", "?nope=1", '"code":"invalid_request"', "/nope: unknown field"],
    ["of another type", "?ignore_index=x", '"code":"invalid_request"', "/ignore_index: expected an integer"],
    ["there twice", "?dim=1&dim=1", '"code":"duplicate_key"', "/dim: duplicate option"],
    ["a tensor", "?weight=1", '"code":"invalid_request"', "/weight: expected a tensor of the file"],
  ])("gets 422 and no 100 where an option of a file is %s", async (_title, query, code, detail) => {
    const text = await exchange(service(), file(query));
    expect(text).not.toContain("100 Continue");
    expect(text).toContain(code);
    expect(text).toContain(detail);
  });

  it("gets its 100 where the options of a file are valid, also those that need its metadata", async () => {
    for (const query of ["", "?reduction=sum&return_grad=true&dim=null", "?grad_output=null&input=null"]) {
      const text = await say(service(), file(query), /\r\n\r\n/);
      expect(text).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    }
  });

  it("of another kind is expectation_failed", async () => {
    const answer = await say(service(), head(CE, 5, "expect: x\r\n"), /"request_id"/);
    expect(answer).toContain("HTTP/1.1 417");
    expect(answer).toContain('"code":"expectation_failed"');
  });
});

describe("heads that two servers read differently", () => {
  it.each([
    ["two Host headers", `POST ${CE} HTTP/1.1\r\nhost: x\r\nHost: y\r\ncontent-length: 0\r\n\r\n`],
    [
      "Transfer-Encoding: gzip, chunked",
      `POST ${CE} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      "Transfer-Encoding in HTTP/1.0",
      `POST ${CE} HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a body of GET", "GET /health/live HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"],
  ])("%s is 400", async (_title, bytes) => {
    const answer = await say(service(), bytes, /^HTTP\/1.1 400/);
    expect(answer).toContain("400");
  });

  it("every answer forbids guessing its type", async () => {
    for (const path of ["/health/live", "/v1/nothing", "/openapi.json"]) {
      expect((await service().get(path)).headers["x-content-type-options"]).toBe("nosniff");
    }
  });
});

describe("pipelining", () => {
  it("answers in order, one at a time", async () => {
    const { socket, text } = await dial(service());
    socket.write(SMALL.repeat(20));
    await expect.poll(() => text().split('"loss"').length).toBe(21);
  });

  it("of 20,000 requests has one running at a time", async () => {
    const { socket, text } = await dial(service());
    socket.write(SMALL.repeat(20_000));
    let most = 0;
    await expect
      .poll(
        () => {
          most = Math.max(most, service().arena.reserved);
          return socket.destroyed || text().split('"loss"').length === 20_001;
        },
        { timeout: 25_000, interval: 1 },
      )
      .toBe(true);
    // A request of this size takes 64 KiB and a little.
    expect(most).toBeLessThan(2 * 65_536);
    socket.destroy();
    await expect.poll(() => service().arena.reserved).toBe(0);
  }, 30_000);
});

const roomy = useService({ bodyLimit: 10_000_000 });

it("requests pipelined behind an answer that nobody reads leave nothing behind when the client resets", async () => {
  const large = `{"dim":0,"input":[${"1,".repeat(3_000_000)}1]}`;
  const first = post("/v1/log_softmax", large);
  for (let k = 0; k < 3; k++) {
    const { socket } = await dial(roomy());
    socket.pause();
    socket.write(first + SMALL.repeat(50));
    await expect.poll(() => roomy().arena.reserved).toBeGreaterThan(0);
    await sleep(200);
    socket.resetAndDestroy();
    await expect.poll(() => roomy().arena.reserved).toBe(0);
  }
}, 30_000);

describe("a refusal in the middle of a body", () => {
  it.each([
    ["malformed JSON", post(CE, `{\u0001${" ".repeat(900_000)}`), 400],
    ["another type", post(CE, " ".repeat(900_000), "content-type: text/plain\r\n"), 415],
  ])("for %s is seen, and the connection goes on", async (_title, bytes, status) => {
    const { socket, text } = await dial(service());
    socket.write(bytes);
    await expect.poll(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    socket.write(SMALL);
    await expect.poll(text).toContain('"loss":0.6931472');
  });
});

describe("tokens", () => {
  const tokens = digestTokens(readTokenLines("# the team's\n\nfirst-token\n  second.token \n"));
  const locked = useService({ tokens });
  const ask = (authorization: string | undefined) =>
    locked().post(CE, BODY, authorization === undefined ? {} : { authorization });

  it.each([
    undefined,
    "",
    "Bearer",
    "Bearer x",
    "Basic first-token",
    "Bearer first-toke",
    "Bearer first-token x",
    "first-token",
  ])("Authorization: %s is unauthorized", async (authorization) => {
    const answer = await ask(authorization);
    expect([answer.status, answer.json.code, answer.headers["www-authenticate"]]).toEqual([
      401,
      "unauthorized",
      "Bearer",
    ]);
  });

  it.each(["Bearer first-token", "bearer second.token"])(
    "Authorization: %s is let in",
    async (authorization) => {
      expect((await ask(authorization)).status).toBe(200);
    },
  );

  it("are asked for on every route but health, before the body", async () => {
    for (const path of ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"]) {
      expect((await locked().get(path)).status, path).toBe(200);
    }
    for (const path of [
      "/docs/",
      "/openapi.json",
      "/v2",
      "/v2/models/nll_loss",
      "/nothing",
      "/health/live/x",
    ]) {
      expect((await locked().get(path)).status, path).toBe(401);
    }
    const early = await say(locked(), head(CE, 500_000), /"unauthorized"/);
    expect(early).toMatch(/^HTTP\/1.1 401/);
  });
});

describe("slow clients", () => {
  const strict = useService({
    bodyLimit: 10_000_000,
    limits: { ...LIMITS, graceMs: 1000, lingerMs: 1500, stallMs: 1500 },
  });

  it("a body below the minimum rate is request_timeout, and its memory comes back", async () => {
    const { socket, text } = await dial(strict());
    socket.write(`${head(CE, 1_000_000)}{"input":[`);
    await expect.poll(() => strict().arena.reserved).toBeGreaterThan(1_000_000);
    const trickle = setInterval(() => socket.write("1,"), 50);
    await expect.poll(text).toContain('"code":"request_timeout"');
    expect(text()).toMatch(/^HTTP\/1.1 408/);
    await expect.poll(() => strict().arena.reserved, { timeout: 1000 }).toBe(0);
    clearInterval(trickle);
  });

  it("a safetensors body below the minimum rate is request_timeout", async () => {
    const { socket, text } = await dial(strict());
    socket.write(`${head(CE, 1000, "content-type: application/vnd.safetensors\r\n")}abc`);
    await expect.poll(text).toMatch(/^HTTP\/1.1 408/);
  });

  it("a client that writes first sees its refusal, then is cut off if it goes on and on", async () => {
    const connection = await dial(strict());
    const { socket, text } = connection;
    socket.pause();
    socket.write(head(CE, 20_000_000));
    const piece = "x".repeat(1_000_000);
    for (let k = 0; k < 10; k++) {
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    socket.resume();
    await expect.poll(text).toContain('"code":"body_too_large"');
    await untilClosed(connection);
  }, 20_000);

  it("a client that stops reading its answer is cut off, and its memory comes back", async () => {
    const connection = await dial(strict());
    const { socket } = connection;
    socket.pause();
    const body = `{"dim":0,"input":[${"1,".repeat(2_000_000)}1]}`;
    socket.write(post("/v1/log_softmax", body));
    await expect.poll(() => strict().arena.reserved).toBeGreaterThan(0);
    await expect.poll(() => strict().arena.reserved).toBe(0);
    socket.resume();
    await untilClosed(connection);
  }, 20_000);

  it("a client that reads slowly but steadily is not", async () => {
    const connection = await dial(strict());
    const { socket } = connection;
    const body = `{"dim":0,"input":[${"1,".repeat(200_000)}1]}`;
    socket.write(post("/v1/log_softmax", body, "connection: close\r\n"));
    for (let k = 0; k < 8; k++) {
      socket.pause();
      await sleep(400);
      socket.resume();
      await sleep(20);
    }
    expect(await untilClosed(connection)).toMatch(/\r\n0\r\n\r\n$/);
  }, 20_000);
});
