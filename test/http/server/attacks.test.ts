/** What an attacker found once, so that nobody finds it again. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { useService } from "../../support/service.ts";
import { dial, exchange, post, statusesOf, untilClosed } from "../../support/socket.ts";

const service = useService();

it.each(["%00", "../../../etc/passwd", "%5c..%5c", "Z".repeat(300), "nope.js"])(
  "GET /docs/static/%s is a problem of 4xx with at most 64 characters of the path",
  async (path) => {
    const answer = await exchange(
      service(),
      `GET /docs/static/${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toContain("content-type: application/problem+json");
    expect(answer).not.toContain("Z".repeat(65));
  },
);

/** Expects whole answers in chunks, then the refusal of the garbage behind them. */
function expectRefusedBehind(text: string, answers: number): void {
  const [before, refusal, ...more] = text.split("HTTP/1.1 400");
  expect(statusesOf(before!)).toEqual(Array(answers).fill(200));
  expect(before!.slice(-7)).toBe("\r\n0\r\n\r\n");
  expect(refusal).toContain('"code":"malformed_request"');
  expect(more).toEqual([]);
}

it("garbage behind a request is refused behind its answer, never in the middle of it", async () => {
  const body = `{"dim":0,"input":[${"1,".repeat(300_000)}1]}`;
  const answer = await exchange(service(), `${post("/v1/log_softmax", body)}GARBAGE\r\n\r\n`);
  expectRefusedBehind(answer, 1);
});

it("garbage behind a short request does not cost it its answer", async () => {
  for (const garbage of ["\0\0", "GARBAGE\r\n\r\n", "GET / HTTP/3.1\r\n\r\n"]) {
    const answer = await exchange(service(), post("/v1/log_softmax", '{"dim":0,"input":[1]}') + garbage);
    expect(statusesOf(answer)).toEqual([200, 400]);
  }
});

it("malformed chunks of a pipelined body are refused behind the answers before it", async () => {
  const chunked =
    "POST /v1/nll_loss HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
  const large = post("/v1/log_softmax", `{"dim":0,"input":[${"1,".repeat(300_000)}1]}`);
  const answer = await exchange(
    service(),
    large + post("/v1/log_softmax", '{"dim":0,"input":[1]}') + chunked,
  );
  expect(statusesOf(answer)).toEqual([200, 200, 400]);
});

it("malformed chunks of a body are refused, before and in the middle of its tensors", async () => {
  const head = (type: string) =>
    `POST /v1/cross_entropy HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
  for (const type of ["application/json", "application/vnd.safetensors"]) {
    for (const chunk of ["zz\r\n", '2\r\n{"\r\nzz\r\n', "-1\r\n", "0x2\r\n"]) {
      const answer = await exchange(service(), head(type) + chunk);
      expect(statusesOf(answer), chunk).toEqual([400]);
      expect(answer).toContain('"code":"malformed_request"');
    }
  }
});

it.each([
  ["another version", "GET / HTTP/2.0\r\nhost: x\r\n\r\n"],
  ["a version without a body", "POST /v1/nll_loss HTTP/0.9\r\nhost: x\r\n\r\n"],
  ["a malformed Host", "GET / HTTP/1.1\r\nhost: a b/c@d\r\n\r\n"],
  [
    "a coding that ends nowhere",
    "POST /v1/nll_loss HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity\r\n\r\n",
  ],
  ["CONNECT", "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n"],
])("a head with %s gets 400, and the connection is closed", async (_what, head) => {
  const answer = await exchange(service(), head);
  expect(statusesOf(answer)).toEqual([400]);
  expect(answer.toLowerCase()).toContain("connection: close");
});

it.each([
  ["behind nothing", ""],
  [
    "behind a request without its response",
    post("/v1/log_softmax", `{"dim":0,"input":[${"1,".repeat(600_000)}1]}`),
  ],
])(
  "a client that resets its connection after a CONNECT %s does not end the server",
  async (_what, before) => {
    const arrived = once(service().server, "connect");
    const { socket } = await dial(service());
    socket.write(`${before}CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n`);
    const [, accepted] = (await arrived) as [unknown, Socket];
    const closed = new Promise((resolve) => accepted.once("close", resolve));
    // Emits the error of a reset, which a listener must take.
    accepted.destroy(Object.assign(new Error("write ECONNRESET"), { code: "ECONNRESET" }));
    await closed;
    expect((await service().get("/health/live")).status).toBe(200);
  },
);

it("the end of a client is seen behind a CONNECT and the bytes for its tunnel", async () => {
  const arrived = once(service().server, "connect");
  const { socket } = await dial(service());
  socket.write("CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n");
  socket.end("x".repeat(200_000));
  const [, accepted] = (await arrived) as [unknown, Socket];
  await expect.poll(() => accepted.destroyed, { timeout: 5000 }).toBe(true);
});

describe("a request line with the name of another protocol", () => {
  const of = (line: string, host = "host: x\r\n") => `${line}\r\n${host}connection: close\r\n\r\n`;

  it.each(["ICE/1.0", "ICE/1.1", "FOO/1.1", "HTTPS/1.1", "http/1.1", "IHTTP/1.1"])(
    "gets 400: %s",
    async (protocol) => {
      for (const method of ["GET", "POST", "OPTIONS"]) {
        const answer = await exchange(service(), of(`${method} /v1/nll_loss ${protocol}`));
        expect(statusesOf(answer), method).toEqual([400]);
      }
    },
  );

  it("gets 405 with SOURCE, the method of ICE/1.0", async () => {
    expect(statusesOf(await exchange(service(), of("SOURCE /v1/nll_loss ICE/1.0")))).toEqual([405]);
  });

  // Node does not tell the name, see SECURITY.md.
  it("is HTTP of the same version and passes its checks: RTSP/1.0 and RTSP/1.1", async () => {
    for (const version of ["1.0", "1.1"]) {
      expect(statusesOf(await exchange(service(), of(`GET /health/live RTSP/${version}`)))).toEqual([200]);
      const two = of(`GET / RTSP/${version}`, "host: x\r\nhost: y\r\n");
      expect(statusesOf(await exchange(service(), two))).toEqual([400]);
    }
    const coded = of("POST /v1/nll_loss RTSP/1.0", "host: x\r\ntransfer-encoding: chunked\r\n");
    expect(statusesOf(await exchange(service(), coded))).toEqual([400]);
    expect(statusesOf(await exchange(service(), of("GET / RTSP/1.1", "")))).toEqual([400]);
    expect(statusesOf(await exchange(service(), of("GET / RTSP/2.0")))).toEqual([400]);
  });
});

it("garbage behind two pipelined requests is refused behind the second answer, never in the middle of it", async () => {
  const request = (count: number) => post("/v1/log_softmax", `{"dim":0,"input":[${"1,".repeat(count)}1]}`);
  const connection = await dial(service());
  const { socket, text } = connection;
  socket.write(request(1) + request(600_000));
  // The second head is out: its answer is under way, and the first request is over.
  await expect.poll(() => statusesOf(text()), { interval: 1 }).toEqual([200, 200]);
  socket.write("GARBAGE\r\n\r\n");
  expectRefusedBehind(await untilClosed(connection), 2);
});

it.each(["9007199254740993.0", "9007199254740992.5", "90071992547409930e-1", "9007199254740993"])(
  "the class index %s is not taken for 2^53",
  async (text) => {
    const body = `{"input":[[0,1]],"target":[${text}],"ignore_index":9007199254740992}`;
    expect((await service().post("/v1/nll_loss", body)).json.code).toBe("invalid_element");
  },
);

it("other requests are answered while tens of megabytes are written to a fast reader", async () => {
  const body = `{"dim":0,"input":[${"1,".repeat(2_000_000)}1],"format":"nested"}`;
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  const large = service().post("/v1/log_softmax", body);
  const small = await service().post("/v1/log_softmax", { input: [0], dim: 0 });
  expect(small.status).toBe(200);
  expect((await large).text.length).toBeGreaterThan(20_000_000);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});

it("long and many names are repeated up to 64 characters in all, and never half a surrogate pair", async () => {
  const key = "k".repeat(64);
  const nested = `${`{"${key}":`.repeat(30)}{"a":1,"a":2}${"}".repeat(30)}`;
  const half = `${"a".repeat(63)}\u{1f600}`;
  for (const body of [
    nested,
    JSON.stringify({ input: [[0]], target: [0], reduction: half }),
    JSON.stringify({ [half]: 1 }),
  ]) {
    const answer = await service().post("/v1/cross_entropy", body);
    expect(answer.status).toBeLessThan(500);
    // The detail and the error each list the fields of the operation.
    expect(answer.text.length).toBeLessThan(1500);
    expect(answer.text).not.toMatch(/\\ud83d/i);
  }
});

/** The body of a safetensors file with this header and no data. */
function headerOnly(json: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  return Buffer.concat([length, Buffer.from(json)]);
}

const names = (count: number, value: string): string =>
  Array.from({ length: count }, (_, at) => `"${at.toString(36)}":${value}`).join();

it.each([
  [
    "80,000 texts in its metadata",
    `{"__metadata__":{${names(80_000, '"1"')}}}`,
    413,
    "options_too_long",
    "/__metadata__",
  ],
  [
    "14,000 tensors",
    `{${names(14_000, '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}')}}`,
    422,
    "invalid_request",
    "/0: expected no tensors but",
  ],
])(
  "a header of %s is refused where its reading would hold the event loop up",
  async (_title, json, status, code, detail) => {
    const answer = await service().send("POST", "/v1/cross_entropy", headerOnly(json), {
      "content-type": "application/vnd.safetensors",
    });
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.json.detail).toContain(detail);
  },
);

it("of an Accept header no more is read than one has that means something", async () => {
  const accept = `application/vnd.safetensors${",x/y;q=0.1".repeat(1200)}`;
  const answer = await service().post("/v1/log_softmax", { input: [0], dim: 0 }, { accept });
  expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/vnd.safetensors"]);
});

it("a path with scheme and host has the errors of its protocol", async () => {
  const request = (path: string) =>
    `POST http://x${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{`;
  expect(await exchange(service(), request("/v2/models/cross_entropy/infer"))).toMatch(
    /^HTTP\/1\.1 400 [\s\S]*\r\n\r\n\{"error":"/,
  );
  expect(await exchange(service(), request("/v1/cross_entropy"))).toContain("application/problem+json");
});
