/** What balancers and proxies in front of the server ask of it. */
import { once } from "node:events";
import type { Server } from "node:http";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useService } from "../../support/service.ts";
import { exchange } from "../../support/socket.ts";

const service = useService();

describe("OPTIONS", () => {
  it.each([
    ["/", "GET, HEAD, OPTIONS"],
    ["/health/ready", "GET, HEAD, OPTIONS"],
    ["/docs", "GET, HEAD, OPTIONS"],
    ["/openapi.json?pretty", "GET, HEAD, OPTIONS"],
    ["/v1/cross_entropy", "POST, OPTIONS"],
    ["/v2/models/nll_loss", "GET, HEAD, OPTIONS"],
    ["/v2/models/nll_loss/infer", "POST, OPTIONS"],
  ])("of %s is 204 with Allow: %s, without a body", async (path, allow) => {
    const { status, headers, bytes } = await service().send("OPTIONS", path);
    expect([status, headers.allow, bytes.length]).toEqual([204, allow, 0]);
  });

  it("of a path that is not there is 404", async () => {
    const { status, json } = await service().send("OPTIONS", "/v1/mse_loss");
    expect([status, json.code]).toEqual([404, "not_found"]);
  });

  it("as HAProxy's `option httpchk` sends it, in HTTP/1.0 without Host, is 204", async () => {
    const text = await exchange(service(), "OPTIONS / HTTP/1.0\r\n\r\n");
    expect(text).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
    expect(text).toMatch(/\r\nallow: GET, HEAD, OPTIONS\r\n/);
  });
});

describe("behind a proxy that puts /loss in front of each path", () => {
  let proxy: Server;
  let url: string;
  beforeAll(async () => {
    const { port } = new URL(service().url);
    proxy = createServer((asked, answer) => {
      const path = /^\/loss(\/.*)$/.exec(asked.url!)?.[1];
      if (path === undefined) return void answer.writeHead(404).end();
      const { method, headers } = asked;
      const inner = request({ host: "127.0.0.1", port, path, method, headers }, (from) => {
        answer.writeHead(from.statusCode!, from.headers);
        from.pipe(answer);
      });
      asked.pipe(inner);
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/loss`;
  });
  afterAll(() => proxy.close());

  /** The files that a page loads, as a browser finds them. */
  async function filesOf(path: string): Promise<{ readonly url: string; readonly files: string[] }> {
    const page = await fetch(url + path);
    expect(page.status).toBe(200);
    const text = await page.text();
    const names = [...text.matchAll(/<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]+)"/g)];
    return { url: page.url, files: names.map(([, name]) => new URL(name!, page.url).href) };
  }

  it.each(["/docs", "/docs/", "/docs?x=1", "/docs/?x=1", "/", "/guide", "/guide/"])(
    "the page %s finds each of its files",
    async (path) => {
      const { url: at, files } = await filesOf(path);
      expect(new URL(at).pathname).toBe(`/loss${path.split("?")[0]!.replace(/\/?$/, "/")}`);
      expect(files.length).toBeGreaterThan(1);
      for (const file of files) {
        const answer = await fetch(file);
        expect([file, answer.status]).toEqual([file, 200]);
        await answer.arrayBuffer();
      }
    },
  );

  it("the reference finds the contract beside it", async () => {
    const script = await fetch(`${url}/docs/static/reference.js`);
    const [, contract] = /new URL\("([^"]+)", document\.baseURI\)/.exec(await script.text())!;
    const answer = await fetch(new URL(contract!, `${url}/docs/`));
    expect(await answer.json()).toMatchObject({ openapi: "3.1.0" });
  });
});
