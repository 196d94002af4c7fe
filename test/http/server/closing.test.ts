/** Connections that close: the last response arrives whatever the client still sends, and nothing behind it is computed. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import { startService, useService } from "../../support/service.ts";

const MiB = 1024 * 1024;
const CE = "/v1/cross_entropy";
const JSON_TYPE = "content-type: application/json\r\n";
const BODY = '{"input":[[0,0]],"target":[1]}';

/** How a client lets the server know whether the connection stays open. */
const MANNERS = [
  ["keep-alive", "1.1", ""],
  ["Connection: close", "1.1", "connection: close\r\n"],
  ["HTTP/1.0", "1.0", ""],
] as const;

interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  /** Codes of the socket's errors. */
  readonly errors: string[];
  readonly closed: Promise<void>;
}

/** A client that closes only when it is told to. */
async function dial(url: string): Promise<Client> {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  const errors: string[] = [];
  socket.on("error", ({ code }: NodeJS.ErrnoException) => errors.push(String(code)));
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, text: () => text, errors, closed };
}

function head(path: string, length: number, fields = JSON_TYPE, version = "1.1"): string {
  return `POST ${path} HTTP/${version}\r\nhost: x\r\ncontent-length: ${length}\r\n${fields}\r\n`;
}

const one = (more = ""): string => head(CE, BODY.length, JSON_TYPE + more) + BODY;

/** Writes all bytes, piece by piece, and reads nothing meanwhile. */
async function writeFirst({ socket }: Client, begin: string, length: number): Promise<void> {
  socket.pause();
  socket.write(begin);
  const piece = Buffer.alloc(MiB, " ");
  for (let left = length; left > 0 && !socket.destroyed; left -= piece.length)
    await new Promise((resolve) => socket.write(piece.subarray(0, left), resolve));
  socket.resume();
}

const lines: string[] = [];
const service = useService({ bodyLimit: MiB, log: (line) => void lines.push(line) });
const locked = useService({ tokens: digestTokens(["secret"]) });

/** The server is about to stop until the test is over. */
function stopUntilFinished(): void {
  const { lifecycle } = service();
  lifecycle.phase = "stopping";
  onTestFinished(() => {
    lifecycle.phase = "ready";
  });
}

/** Statuses in the log since the last call. */
const logged = (): number[] => lines.splice(0).map((line) => JSON.parse(line).status);

/** Requests with a status, as /metrics counts them. */
async function counted(): Promise<string[]> {
  const { text } = await service().get("/metrics");
  logged();
  return text.split("\n").filter((line) => line.startsWith('lossd_requests_total{operation="cross_entropy"'));
}

describe.each(MANNERS)("a client with %s that writes 8 MiB before it reads", (_manner, version, fields) => {
  it.each([
    [413, () => service().url, CE, JSON_TYPE],
    [415, () => service().url, CE, "content-type: text/plain\r\n"],
    [404, () => service().url, "/v1/mse_loss", JSON_TYPE],
    [405, () => service().url, "/health/live", JSON_TYPE],
    [413, () => service().url, "/v2/models/nll_loss/infer", JSON_TYPE],
    [431, () => service().url, CE, `${JSON_TYPE}x: ${"y".repeat(20_000)}\r\n`],
    [400, () => service().url, CE, `${JSON_TYPE}host: y\r\n`],
    [401, () => locked().url, CE, JSON_TYPE],
  ])("receives all of a %d", async (status, url, path, own) => {
    for (let k = 0; k < 3; k++) {
      const client = await dial(url());
      await writeFirst(client, head(path, 8 * MiB, own + fields, version), 8 * MiB);
      await expect.poll(client.text).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*\r\n\r\n\\{.*\\}$`));
      expect(client.errors).toEqual([]);
      const says = /\r\nconnection: (\S+)/i.exec(client.text())?.[1];
      if (fields !== "" || version === "1.0") expect(says).toBe("close");
    }
  });
});

/** Header fields, in lower case, of an error that is sent while the body still arrives. */
async function headersBeforeTheEnd(length: number, fields: string, body = " "): Promise<string> {
  const client = await dial(service().url);
  client.socket.write(head(CE, length, fields) + body);
  await expect.poll(client.text).toMatch(/^HTTP\/1.1 4\d\d [\s\S]*\}$/);
  return client.text().split("\r\n\r\n")[0]!.toLowerCase();
}

describe("an error while the body still arrives", () => {
  const TEXT = "content-type: text/plain\r\n";

  it.each([
    ["the head", TEXT, " "],
    ["the body", JSON_TYPE, "{\u0001"],
  ])("in %s announces how long the connection is kept", async (_part, fields, body) => {
    const headers = await headersBeforeTheEnd(MiB, fields, body);
    expect(headers).toContain("\r\nconnection: keep-alive");
    expect(headers).toMatch(/\r\nkeep-alive: timeout=\d+(?:\r\n|$)/);
  });

  it.each([
    // Node drops the bytes that it reads with the end of such a body, so the next request would get no response.
    [
      "with Upgrade, as of Java's HttpClient,",
      MiB,
      "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n",
    ],
    ["longer than what is read after a response", LIMITS.lingerBytes + 1, ""],
  ])("%s announces the end of the connection", async (_body, length, fields) => {
    expect(await headersBeforeTheEnd(length, TEXT + fields)).toContain("\r\nconnection: close");
  });
});

it("errors to whole bodies with Upgrade keep the connection", async () => {
  const body = '{"input":[[0,0]],"target":[7]}';
  const fields = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n";
  const client = await dial(service().url);
  for (let sent = 1; sent <= 3; sent++) {
    client.socket.write(head(CE, body.length, JSON_TYPE + fields) + body);
    await expect.poll(() => client.text().match(/HTTP\/1.1 422 /g)?.length).toBe(sent);
  }
  expect(client.text().match(/\r\nconnection: \S+/gi)).toEqual(
    new Array(3).fill("\r\nConnection: keep-alive"),
  );
});

describe("a connection that another worker should have", () => {
  const moving = useService({ mustReconnect: () => true });

  it.each([
    [200, CE, BODY],
    [422, CE, "{}"],
    [400, CE, "{"],
    [404, "/v1/mse_loss", BODY],
  ])("ends with a %d", async (status, path, body) => {
    const { headers, ...answer } = await moving().send("POST", path, body, {
      "content-type": "application/json",
    });
    expect([answer.status, headers.connection]).toEqual([status, "close"]);
  });
});

it("a server that stops says Connection: close with an error in the middle of a body, and the client receives it", async () => {
  stopUntilFinished();
  const client = await dial(service().url);
  await writeFirst(client, `${head(CE, MiB)}{\u0001`, MiB - 2);
  await expect
    .poll(client.text)
    .toMatch(/^HTTP\/1.1 400 [\s\S]*\r\nconnection: close\r\n[\s\S]*"malformed_json"/);
  expect(client.errors).toEqual([]);
});

describe("requests behind the last response are neither computed, counted nor logged", () => {
  const LARGE = `${head(CE, MiB)}${" ".repeat(MiB)}`;
  it.each([
    ["Connection: close", one("connection: close\r\n") + one().repeat(3), [200]],
    ["HTTP/1.0", one().replace("HTTP/1.1", "HTTP/1.0") + one().repeat(3), [200]],
    ["Connection: close on the third", one() + one() + one("connection: close\r\n") + one(), [200, 200, 200]],
    [
      "an unknown expectation",
      `GET /health/live HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n\r\n${one()}${LARGE}`,
      [417],
    ],
    [
      "a rejected body",
      `${head(CE, 2 * MiB, `${JSON_TYPE}connection: close\r\n`)}${" ".repeat(2 * MiB)}${one()}`,
      [413],
    ],
  ])("(%s)", async (_title, bytes, statuses) => {
    const before = await counted();
    const client = await dial(service().url);
    client.socket.write(bytes);
    await once(client.socket, "end");
    // Further ones, which arrive after FIN.
    client.socket.write(one().repeat(3));
    await sleep(100);
    expect([...client.text().matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => Number(status))).toEqual(
      statuses,
    );
    expect(client.errors).toEqual([]);
    expect(logged()).toEqual(statuses);
    client.socket.destroy();
    await sleep(20);
    expect(logged()).toEqual([]);
    // 417 is for another path.
    const answered = statuses.filter((status) => status !== 417).length;
    const count = (found: string[]): number =>
      found.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
    expect(count(await counted()) - count(before)).toBe(answered);
    expect(service().arena.reserved).toBe(0);
  });

  it("(a server that stops)", async () => {
    stopUntilFinished();
    logged();
    const client = await dial(service().url);
    client.socket.write(one().repeat(5) + LARGE.repeat(4));
    await once(client.socket, "end");
    await sleep(100);
    expect(client.text()).toMatch(
      /^HTTP\/1.1 200 [\s\S]*\r\nconnection: close\r\n[\s\S]*"total_weight":1\}$/i,
    );
    expect(client.errors).toEqual([]);
    expect(logged()).toEqual([200]);
  });
});

it("a rejected body that turns out malformed gets no second response", async () => {
  const client = await dial(service().url);
  const chunked = "content-type: text/plain\r\ntransfer-encoding: chunked\r\n";
  client.socket.write(`POST ${CE} HTTP/1.1\r\nhost: x\r\n${chunked}\r\n5\r\nabcde\r\n`);
  await expect.poll(client.text).toMatch(/^HTTP\/1.1 415 /);
  client.socket.write("no chunk\r\n");
  await once(client.socket, "end");
  expect(client.text().match(/HTTP\/1.1/g)).toHaveLength(1);
});

describe("a client that does not close is closed after the limit", () => {
  const strict = useService({ bodyLimit: MiB, limits: { ...LIMITS, lingerMs: 2000, lingerBytes: 4 * MiB } });
  const close = "connection: close\r\n";

  it.each([
    ["after a whole exchange", one(close)],
    ["in the middle of a rejected body", head(CE, 2 * MiB, JSON_TYPE + close)],
    ["after bytes that are no request", "NONSENSE\r\n\r\n"],
  ])("of 2 s %s", async (_title, bytes) => {
    const { socket, text, closed } = await dial(strict().url);
    socket.write(bytes);
    await once(socket, "end");
    expect(text()).toMatch(/^HTTP\/1.1 \d+ [\s\S]*\}$/);
    const start = performance.now();
    const trickle = setInterval(() => socket.write(" "), 20);
    await closed;
    clearInterval(trickle);
    const ms = performance.now() - start;
    expect(ms).toBeGreaterThan(1500);
    expect(ms).toBeLessThan(4000);
  });

  it("of 4 MiB", async () => {
    const { socket, closed } = await dial(strict().url);
    socket.write(head(CE, 200 * MiB, JSON_TYPE + close));
    const start = performance.now();
    const upload = setInterval(() => socket.write(Buffer.alloc(MiB)), 20);
    await closed;
    clearInterval(upload);
    expect(performance.now() - start).toBeLessThan(1500);
  });
});

it("a client that does not close holds up no shutdown", async () => {
  const own = await startService();
  const { socket, text } = await dial(own.url);
  socket.write(one("connection: close\r\n"));
  await once(socket, "end");
  expect(text()).toMatch(/^HTTP\/1.1 200 /);
  const start = performance.now();
  await own.close();
  expect(performance.now() - start).toBeLessThan(1000);
});
