/** A real server on a real socket, and a client for it, for the tests. */
import type { Server } from "node:http";
import pino from "pino";
import type { Dispatcher } from "undici";
import { Agent } from "undici";
import { afterAll, beforeAll } from "vitest";
import { buildApp } from "../../src/http/app.ts";
import { LoadEstimate } from "../../src/http/limits/load-estimate.ts";
import { MemoryQueue } from "../../src/http/limits/memory-queue.ts";
import { Metrics } from "../../src/http/observe/metrics.ts";
import type { Tokens } from "../../src/http/server/auth.ts";
import type { Origins } from "../../src/http/server/cors.ts";
import type { Lifecycle } from "../../src/http/server/shutdown.ts";
import type { TimeoutLimits } from "../../src/http/server/timeouts.ts";
import { LIMITS } from "../../src/http/server/timeouts.ts";
import type { Kernel } from "../../src/kernel/load.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { chooseBuild } from "../../src/server/build.ts";
import { readPages } from "../../src/server/page-files.ts";
import { Arena } from "../../src/tensor/arena.ts";

const MiB = 1024 * 1024;

export interface ServiceOptions {
  readonly memoryBudget?: number;
  readonly bodyLimit?: number;
  readonly streamLimit?: number;
  readonly compressResponses?: boolean;
  /** Milliseconds. */
  readonly waitLimit?: number;
  /** The clock of admission by time, in milliseconds; default: the real one. */
  readonly now?: () => number;
  readonly tokens?: Tokens;
  readonly origins?: Origins;
  readonly limits?: TimeoutLimits;
  /** Whether the client should connect again, to another worker; default: never. */
  readonly mustReconnect?: () => boolean;
  /** Is told of every range of memory that a request takes. */
  readonly onTake?: (kernel: Kernel, start: number, end: number) => void;
  /** The page of metrics; default: that of this server. */
  readonly metricsText?: () => Promise<string>;
  /** Takes the lines of the log; default: there is none. */
  readonly log?: (line: string) => void;
  /** The lowest level of its lines; default: info. */
  readonly logLevel?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any form
  readonly json: any;
}

export interface Service {
  readonly url: string;
  readonly server: Server;
  readonly arena: Arena;
  readonly kernel: Kernel;
  readonly lifecycle: Lifecycle;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  send(
    method: string,
    path: string,
    body?: string | Buffer | AsyncIterable<Uint8Array>,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  close(): Promise<void>;
}

/** Sends a request and collects the response, without the streams of undici's request(). */
function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
): Promise<Pick<Answer, "status" | "headers" | "bytes">> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let head: Pick<Answer, "status" | "headers">;
    dispatcher.dispatch(request, {
      onRequestStart() {},
      onResponseStart(_controller, status, headers) {
        head = { status, headers };
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        resolve({ ...head, bytes: Buffer.concat(chunks) });
      },
      onResponseError(_controller, error) {
        reject(error);
      },
    });
  });
}

/** Starts the server as serve.ts does, on a port that the system chooses. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const kernel = loadKernel(options.memoryBudget ?? 1024 * MiB, chooseBuild(true));
  const arena = new Arena(kernel.heapBase, kernel.u8.length, (start, end) =>
    options.onTake?.(kernel, start, end),
  );
  const waitLimit = (options.waitLimit ?? 10_000) / 1000;
  const load = new LoadEstimate(waitLimit, options.now);
  const engine = {
    kernel,
    arena,
    load,
    queue: new MemoryQueue(arena, waitLimit),
    bodyLimit: options.bodyLimit ?? 64 * MiB,
    streamLimit: options.streamLimit ?? 1024 * 1024 * MiB,
    compressResponses: options.compressResponses ?? false,
  };
  const {
    tokens = [],
    origins = [],
    limits = LIMITS,
    log,
    logLevel: level = "info",
    mustReconnect,
  } = options;
  const logger = log === undefined ? pino({ level: "silent" }) : pino({ level }, { write: log });
  const metrics = new Metrics(arena, load);
  const { metricsText = () => metrics.registry.metrics() } = options;
  const lifecycle: Lifecycle = { phase: "ready" };
  const pages = readPages();
  const app = await buildApp({
    engine,
    lifecycle,
    logger,
    accepted: { tokens },
    limits,
    metrics,
    metricsText,
    pages,
    origins,
    mustReconnect,
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const dispatcher = new Agent({ connections: 8 });
  const send: Service["send"] = async (method, path, body, headers = {}) => {
    const request = { origin: url, path, method: method as "POST", headers, body: (body ?? null) as string };
    const { status, headers: given, bytes } = await exchange(dispatcher, request);
    const text = bytes.toString();
    const type = String(given["content-type"] ?? "");
    const isEncoded = given["content-encoding"] !== undefined;
    return {
      status,
      headers: given,
      bytes,
      text,
      json: type.includes("json") && text !== "" && !isEncoded ? JSON.parse(text) : undefined,
    };
  };
  return {
    url,
    server: app.server,
    arena,
    kernel,
    lifecycle,
    send,
    post: (path, body, headers) =>
      send("POST", path, typeof body === "string" ? body : JSON.stringify(body), {
        "content-type": "application/json",
        ...headers,
      }),
    get: (path, headers) => send("GET", path, undefined, headers),
    close: async () => {
      await dispatcher.close();
      await app.close();
    },
  };
}

/** A server for all tests of a file. */
export function useService(options: ServiceOptions = {}): () => Service {
  let service: Service | undefined;
  beforeAll(async () => {
    service = await startService(options);
  });
  afterAll(() => service?.close());
  return () => {
    if (service === undefined) throw new Error("the service has not started");
    return service;
  };
}
