/** A web server of a folder with one page. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

export interface SiteOptions {
  readonly folder: string;
  /** HTML of the page at /. */
  readonly page: string;
  /** Media types by extension, in the place of the right ones. */
  readonly types?: Readonly<Record<string, string>>;
}

export interface Site {
  readonly url: string;
  /** Paths that have been requested. */
  readonly requests: readonly string[];
  stop(): void;
}

export async function startSite({ folder, page, types = {} }: SiteOptions): Promise<Site> {
  const requests: string[] = [];
  const server = createServer(({ url = "/" }, response) => {
    requests.push(url);
    const file = join(folder, url);
    const isPage = url === "/";
    if (!isPage && !existsSync(file)) return response.writeHead(404).end();
    const extension = isPage ? ".html" : extname(url);
    response.setHeader("content-type", types[extension] ?? TYPES[extension] ?? "application/octet-stream");
    response.end(isPage ? page : readFileSync(file));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, requests, stop: () => void server.close() };
}
