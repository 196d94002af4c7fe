/** The pages for people over HTTP: the playground's files and the guide. */
import { readdirSync } from "node:fs";
import fastify from "fastify";
import { describe, expect, it } from "vitest";
import { lessonOf } from "../../../playground/request/link.ts";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { registerPages } from "../../../src/http/static/pages.ts";
import { useService } from "../../support/service.ts";

describe("GET /", () => {
  const service = useService({ tokens: digestTokens(["sesame"]) });
  const files = [
    "/",
    "/playground/page.js",
    "/playground/kernel.wasm",
    "/playground/kernel-plain.wasm",
    "/playground/theme.js",
    "/playground/base.css",
    "/guide/",
    "/guide/start",
  ];

  it.each(files)(
    "%s needs no token, allows nothing from elsewhere, and is asked for again only when it has changed",
    async (path) => {
      const answer = await service().get(path);
      expect(answer.status).toBe(200);
      expect(answer.headers["content-security-policy"]).toMatch(
        /^default-src 'none'; script-src 'self'(?: 'wasm-unsafe-eval')?;/,
      );
      expect(answer.headers["cache-control"]).toBe("no-cache");
      const etag = String(answer.headers.etag);
      const again = await service().get(path, { "if-none-match": `"other", W/${etag}` });
      expect([again.status, again.bytes.length, again.headers.etag]).toEqual([304, 0, etag]);
      const known = await service().send("HEAD", path, undefined, { "if-none-match": etag });
      expect([known.status, known.headers["content-length"]]).toEqual([304, String(answer.bytes.length)]);
      const head = await service().send("HEAD", path);
      expect([head.status, head.headers["content-length"]]).toEqual([200, String(answer.bytes.length)]);
    },
  );

  it("names no address but the server's own, and all of them relative", async () => {
    const { text } = await service().get("/");
    const links = [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link!);
    expect(links.length).toBeGreaterThan(4);
    for (const link of links) expect(link).toMatch(/^(?:[a-z#]|data:,)/);
    expect(text).not.toMatch(/https?:/);
  });

  it("may compile WebAssembly, which has its type, and no other page may", async () => {
    const policyOf = async (path: string) => (await service().get(path)).headers["content-security-policy"];
    expect(await policyOf("/")).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(await policyOf("/guide/")).not.toContain("wasm");
    const { headers, bytes } = await service().get("/playground/kernel.wasm");
    expect(headers["content-type"]).toBe("application/wasm");
    expect(WebAssembly.validate(Uint8Array.from(bytes))).toBe(true);
  });

  it("takes no other method, and is at no other path", async () => {
    const posted = await service().post("/", {}, { authorization: "Bearer sesame" });
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD, OPTIONS"]);
    const token = { authorization: "Bearer sesame" };
    expect((await service().get("/playground/../package.json", token)).status).toBe(404);
    expect((await service().get("/playground/index.html", token)).status).toBe(404);
  });
});

it("a page is read when it is first asked for, and once", async () => {
  let count = 0;
  const app = fastify();
  const read = (): Buffer => Buffer.from(`read ${++count}`);
  registerPages(app, [{ path: "/", type: "text/plain", read }]);
  await app.ready();
  expect(count).toBe(0);
  for (let k = 0; k < 2; k++) expect((await app.inject("/")).body).toBe("read 1");
});

describe("GET /guide/", () => {
  const service = useService({ tokens: digestTokens(["sesame"]) });
  const open = useService();

  it("is where /guide leads, also below a proxy's path", async () => {
    const { status, headers } = await service().get("/guide");
    expect([status, headers.location]).toEqual([308, "guide/"]);
  });

  it("has every page of docs/ without a token, and no link that leads nowhere", async () => {
    const linksOf = (text: string) =>
      [...text.matchAll(/<(?:a|img|link|script) (?:[^>]*? )?(?:href|src)="([^"]*)"/g)].map(([, to]) => to!);
    const index = (await service().get("/guide/")).text;
    const pages = new Set(linksOf(index).filter((link) => /^[\w-]+$/.test(link)));
    for (const file of readdirSync(new URL("../../../docs/", import.meta.url))) {
      if (/^[a-z-]+\.md$/.test(file)) expect([...pages]).toContain(file.slice(0, -3));
    }
    for (const page of ["", ...pages]) {
      const { status, text } = await service().get(`/guide/${page}`);
      expect(status, page).toBe(200);
      expect(text).not.toMatch(/href="[^"]*\.md/);
      for (const link of linksOf(text).filter((to) => !/^(?:https:|data:)/.test(to))) {
        const { origin, pathname, hash } = new URL(link, `${open().url}/guide/${page}`);
        expect(origin, `${page}: ${link}`).toBe(open().url);
        const answer = await open().get(pathname);
        expect(answer.status, `${page}: ${link}`).toBe(200);
        // The playground's fragment is a lesson, not an element.
        if (pathname === "/" && hash !== "") expect(lessonOf(hash.replaceAll("&amp;", "&"))).toBeDefined();
        else if (hash !== "") expect(answer.text, `${page}: ${link}`).toContain(`id="${hash.slice(1)}"`);
      }
    }
  });
});
