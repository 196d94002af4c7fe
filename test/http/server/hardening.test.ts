/** Clients that are slow, greedy, unknown or ambiguous, on raw sockets. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import { readTokenLines } from "../../../src/server/tokens-file.ts";
import { useService } from "../../support/service.ts";

const service = useService({ bodyLimit: 1_000_000 });
const CE = "/v1/cross_entropy";
const BODY = '{"input":[[0,0]],"target":[1]}';
const JSON_HEAD = `POST ${CE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;

/** A connection, and all that came over it. */
async function open(url: string): Promise<{ socket: Socket; text: () => string; closed: Promise<unknown> }> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  return { socket, text: () => text, closed: once(socket, "close") };
}

/** What a server answers to these bytes, until it has said `until`. */
async function say(url: string, bytes: string, until: RegExp): Promise<string> {
  const { socket, text } = await open(url);
  socket.write(bytes);
  await expect.poll(text, { timeout: 5000, interval: 5 }).toMatch(until);
  socket.destroy();
  return text();
}

describe("Expect: 100-continue", () => {
  it("gets its 100 when the request is accepted, then the answer", async () => {
    const { socket, text } = await open(service().url);
    socket.write(`${JSON_HEAD}expect: 100-continue\r\ncontent-length: ${BODY.length}\r\n\r\n`);
    await expect.poll(text).toContain("HTTP/1.1 100 Continue");
    expect(text()).not.toContain("200");
    socket.write(BODY);
    await expect.poll(text).toContain('"loss":0.6931472');
    socket.destroy();
  });

  it.each([
    ["too large", `${JSON_HEAD}expect: 100-continue\r\ncontent-length: 2000000\r\n\r\n`, 413],
    [
      "of another type",
      `POST ${CE} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n`,
      415,
    ],
    [
      "to an unknown path",
      "POST /v1/mse HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
      404,
    ],
  ])("gets the final status and no 100 where the request is %s", async (_title, head, status) => {
    const { socket, text, closed } = await open(service().url);
    socket.write(head);
    await closed;
    expect(text()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text()).not.toContain("100 Continue");
  });

  it("of another kind is expectation_failed", async () => {
    const answer = await say(
      service().url,
      `${JSON_HEAD}expect: x\r\ncontent-length: 5\r\n\r\n`,
      /"request_id"/,
    );
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
    const answer = await say(service().url, bytes, /^HTTP\/1.1 400/);
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
    const one = `${JSON_HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`;
    const { socket, text } = await open(service().url);
    socket.write(one.repeat(20));
    await expect.poll(() => text().split('"loss"').length, { timeout: 5000 }).toBe(21);
    socket.destroy();
  });

  it("of 20,000 requests has one running at a time", async () => {
    const one = `${JSON_HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`;
    const { socket, text } = await open(service().url);
    socket.write(one.repeat(20_000));
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
  const first = `POST /v1/log_softmax HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${large.length}\r\n\r\n${large}`;
  const one = `${JSON_HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`;
  for (let k = 0; k < 3; k++) {
    const { socket } = await open(roomy().url);
    socket.pause();
    socket.write(first + one.repeat(50));
    await expect.poll(() => roomy().arena.reserved, { timeout: 5000 }).toBeGreaterThan(0);
    await sleep(200);
    socket.resetAndDestroy();
    await expect.poll(() => roomy().arena.reserved, { timeout: 5000 }).toBe(0);
  }
}, 30_000);

describe("a refusal in the middle of a body", () => {
  it.each([
    ["malformed JSON", `${JSON_HEAD}content-length: 900002\r\n\r\n{\u0001${" ".repeat(900_000)}`, 400],
    [
      "another type",
      `POST ${CE} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 900000\r\n\r\n${" ".repeat(900_000)}`,
      415,
    ],
  ])("for %s is seen, and the connection goes on", async (_title, bytes, status) => {
    const { socket, text } = await open(service().url);
    socket.write(bytes);
    await expect.poll(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    socket.write(`${JSON_HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`);
    await expect.poll(text).toContain('"loss":0.6931472');
    socket.destroy();
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
    const early = await say(locked().url, `${JSON_HEAD}content-length: 500000\r\n\r\n`, /"unauthorized"/);
    expect(early).toMatch(/^HTTP\/1.1 401/);
  });
});

describe("slow clients", () => {
  const strict = useService({
    bodyLimit: 10_000_000,
    limits: { ...LIMITS, graceMs: 1000, lingerMs: 1500, stallMs: 1500 },
  });

  it("a body below the minimum rate is request_timeout, and its memory comes back", async () => {
    const { socket, text } = await open(strict().url);
    socket.write(`${JSON_HEAD}content-length: 1000000\r\n\r\n{"input":[`);
    await expect.poll(() => strict().arena.reserved).toBeGreaterThan(1_000_000);
    const trickle = setInterval(() => socket.write("1,"), 50);
    await expect.poll(text, { timeout: 5000 }).toContain('"code":"request_timeout"');
    expect(text()).toMatch(/^HTTP\/1.1 408/);
    await expect.poll(() => strict().arena.reserved, { timeout: 1000 }).toBe(0);
    clearInterval(trickle);
    socket.destroy();
  });

  it("a safetensors body below the minimum rate is request_timeout", async () => {
    const { socket, text } = await open(strict().url);
    socket.write(
      `POST ${CE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.safetensors\r\ncontent-length: 1000\r\n\r\nabc`,
    );
    await expect.poll(text, { timeout: 5000 }).toMatch(/^HTTP\/1.1 408/);
    socket.destroy();
  });

  it("a client that writes first sees its refusal, then is cut off if it goes on and on", async () => {
    const { socket, text, closed } = await open(strict().url);
    socket.pause();
    socket.write(`${JSON_HEAD}content-length: 20000000\r\n\r\n`);
    const piece = "x".repeat(1_000_000);
    for (let k = 0; k < 10; k++) {
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    socket.resume();
    await expect.poll(text).toContain('"code":"body_too_large"');
    await closed;
  }, 20_000);

  it("a client that stops reading its answer is cut off, and its memory comes back", async () => {
    const { socket, closed } = await open(strict().url);
    socket.pause();
    const body = `{"dim":0,"input":[${"1,".repeat(2_000_000)}1]}`;
    socket.write(
      `POST /v1/log_softmax HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => strict().arena.reserved, { timeout: 5000 }).toBeGreaterThan(0);
    await expect.poll(() => strict().arena.reserved, { timeout: 10_000 }).toBe(0);
    socket.resume();
    await closed;
  }, 20_000);

  it("a client that reads slowly but steadily is not", async () => {
    const { socket, text, closed } = await open(strict().url);
    const body = `{"dim":0,"input":[${"1,".repeat(200_000)}1]}`;
    socket.write(
      `POST /v1/log_softmax HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    for (let k = 0; k < 8; k++) {
      socket.pause();
      await sleep(400);
      socket.resume();
      await sleep(20);
    }
    await closed;
    expect(text()).toMatch(/\r\n0\r\n\r\n$/);
  }, 20_000);
});
