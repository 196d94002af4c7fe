/** Responses that began and did not arrive whole are told apart in the log and in the metrics. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import { JsonPages } from "../../../src/wire/json/writer.ts";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";
import { dial, head, post } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({
  bodyLimit: 4 * 1024 * 1024,
  limits: { ...LIMITS, stallMs: 1000 },
  log: (line) => void lines.push(line),
});

/** JSON whose response has many pages. */
const LARGE = `{"dim":0,"input":[${"1,".repeat(999_999)}1]}`;
const LOSS = '{"input":[[0,0]],"target":[1]}';
/** A file whose response streams, because it is larger than the limit of a body in memory. */
const ROWS = writeTestFile({ input: tensor("float32", [2000, 1000], (at) => at % 7) });

const FILE_TYPE = "content-type: application/vnd.safetensors\r\n";

const open = async (): Promise<Socket> => (await dial(service())).socket;

// biome-ignore lint/suspicious/noExplicitAny: lines of any form
const requests = (): any[] =>
  lines
    .map((line) => JSON.parse(line))
    .filter(({ msg, operation }) => msg === "request" && operation !== "/metrics");

/** The only request's line. */
async function line() {
  await expect.poll(() => requests().length).toBe(1);
  return requests()[0];
}

async function aborted(operation: string): Promise<number> {
  const { text } = await service().get("/metrics");
  const found = new RegExp(`^lossd_responses_aborted_total{operation="${operation}"} (\\d+)$`, "m").exec(
    text,
  );
  return Number(found?.[1] ?? 0);
}

beforeEach(() => void lines.splice(0));

describe("aborted", () => {
  it.each(["destroy", "resetAndDestroy"] as const)(
    "a response of pages whose client leaves (%s) while it is written",
    async (leave) => {
      const before = await aborted("log_softmax");
      const socket = await open();
      socket.write(post("/v1/log_softmax", LARGE));
      await once(socket, "data");
      socket[leave]();
      expect(await line()).toMatchObject({ operation: "log_softmax", status: 200, aborted: true });
      expect(await aborted("log_softmax")).toBe(before + 1);
    },
  );

  it("a compressed response whose client leaves while it is written", async () => {
    const socket = await open();
    socket.write(post("/v1/log_softmax", LARGE, "accept-encoding: gzip, identity;q=0\r\n"));
    await once(socket, "data");
    socket.destroy();
    expect(await line()).toMatchObject({ status: 200, aborted: true });
  });

  it("a file of several pages whose client leaves while it is written", async () => {
    const socket = await open();
    const body = writeTestFile({ input: tensor("float32", [900, 1000], (at) => at % 7) });
    socket.write(head("/v1/log_softmax?dim=1", body.length, FILE_TYPE));
    socket.write(body);
    await once(socket, "data");
    socket.destroy();
    expect(await line()).toMatchObject({ status: 200, aborted: true });
  });

  it("a response whose client stops reading, once the write has timed out", async () => {
    const socket = await open();
    socket.pause();
    socket.write(post("/v1/log_softmax", LARGE));
    expect(await line()).toMatchObject({ status: 200, aborted: true });
    socket.destroy();
  });

  it("a streamed response whose body turns out to be invalid, with the error's code", async () => {
    const before = await aborted("log_softmax");
    const socket = await open();
    socket.write(
      `POST /v1/log_softmax?dim=1 HTTP/1.1\r\nhost: x\r\n${FILE_TYPE}transfer-encoding: chunked\r\n\r\n`,
    );
    const chunk = (bytes: Uint8Array): void => {
      socket.write(`${bytes.length.toString(16)}\r\n`);
      socket.write(bytes);
      socket.write("\r\n");
    };
    chunk(ROWS);
    chunk(Buffer.from("more"));
    socket.write("0\r\n\r\n");
    expect(await line()).toMatchObject({ status: 200, aborted: true, problem: "malformed_safetensors" });
    expect(await aborted("log_softmax")).toBe(before + 1);
  });

  it("a response during which the server fails, as internal_error", async () => {
    const print = JsonPages.prototype.print;
    let pages = 0;
    const spy = vi.spyOn(JsonPages.prototype, "print").mockImplementation(function (
      this: JsonPages,
      from,
      to,
    ) {
      if (++pages === 3) throw new Error("a fault");
      return print.call(this, from, to);
    });
    const socket = await open();
    socket.write(post("/v1/log_softmax", LARGE));
    expect(await line()).toMatchObject({ status: 200, aborted: true, problem: "internal_error" });
    spy.mockRestore();
    const { text } = await service().get("/metrics");
    expect(text).toContain('lossd_refusals_total{reason="internal_error"} 1');
  });

  it("an inference whose client leaves while its outputs are written, which fails in Triton's statistics", async () => {
    const count = async () =>
      (await service().get("/v2/models/log_softmax/stats")).json.model_stats[0].inference_stats;
    const { success, fail } = await count();
    const data = "1,".repeat(999_999);
    const body = `{"parameters":{"dim":0},"inputs":[{"name":"input","datatype":"FP32","shape":[1000000],"data":[${data}1]}]}`;
    const socket = await open();
    socket.write(post("/v2/models/log_softmax/infer", body));
    await once(socket, "data");
    socket.destroy();
    await expect.poll(() => requests().at(-1)?.aborted).toBe(true);
    expect(await count()).toMatchObject({
      success: { count: success.count },
      fail: { count: fail.count + 1 },
    });
  });
});

describe("not aborted", () => {
  it.each<[string, string, number]>([
    ["a response in one piece", post("/v1/cross_entropy", LOSS), 200],
    ["the last response of a connection", post("/v1/cross_entropy", LOSS, "connection: close\r\n"), 200],
    ["an error", post("/v1/cross_entropy", "{"), 400],
    ["a response without a body", "HEAD /v2/models HTTP/1.1\r\nhost: x\r\n\r\n", 200],
    ["the response to OPTIONS", "OPTIONS / HTTP/1.1\r\nhost: x\r\n\r\n", 204],
  ])("%s, whose client leaves once it has it", async (_title, request, status) => {
    const socket = await open();
    socket.write(request);
    await once(socket, "data");
    socket.resetAndDestroy();
    const written = await line();
    expect(written).toMatchObject({ status });
    expect(written).not.toHaveProperty("aborted");
  });

  it("a response of pages that is read to its end", async () => {
    const before = await aborted("log_softmax");
    expect((await service().post("/v1/log_softmax", LARGE)).status).toBe(200);
    expect(await line()).not.toHaveProperty("aborted");
    expect(await aborted("log_softmax")).toBe(before);
  });

  it("a request whose client leaves before the response, which is 499", async () => {
    const socket = await open();
    socket.write(post("/v1/cross_entropy", LOSS).slice(0, -2));
    await sleep(100);
    socket.destroy();
    const written = await line();
    expect(written).toMatchObject({ status: 499 });
    expect(written).not.toHaveProperty("aborted");
  });
});
