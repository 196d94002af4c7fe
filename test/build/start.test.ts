/** `npm start` in a copy of the checkout: under every setting and what else stands in a person's environment, stopped, refused, twice at once. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { stalePartsOf } from "../../build/sources.mjs";
import { SETTING_ENTRIES } from "../../src/config/settings.ts";
import {
  copyCheckout,
  copyReadable,
  groupEnds,
  npmStart,
  outputOf,
  removeCheckout,
  spawnStart,
} from "../support/checkout.ts";
import { endOf } from "../support/command.ts";
import { ownPort } from "../support/process.ts";

/** Milliseconds: two builds of the server, while other tests run. */
const BUILD_TIMEOUT = 400_000;
/** A start that builds nothing; the quickest of many, since another test may keep the cores busy meanwhile. */
const SECOND_START_MS = 3000;

const DEAD = "http://127.0.0.1:1";
const PROXIES = {
  HTTP_PROXY: DEAD,
  HTTPS_PROXY: DEAD,
  http_proxy: DEAD,
  https_proxy: DEAD,
  NODE_USE_ENV_PROXY: "1",
};

let folder: string;
let collector: Server;
let spans = 0;
const settings: Record<string, string> = {};
const quickest = { startMs: Number.POSITIVE_INFINITY };

beforeAll(async () => {
  folder = copyCheckout();
  writeFileSync(join(folder, "tokens"), "secret\n");
  collector = createHttpServer((_request, response) => {
    spans++;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  Object.assign(settings, {
    HOST: "0.0.0.0",
    PORT: ownPort(),
    WORKERS: "2",
    METRICS_PORT: ownPort(),
    LOG_LEVEL: "warn",
    BODY_LIMIT: "1048576",
    STREAM_LIMIT: "4194304",
    MEMORY_BUDGET: "16777216",
    WAIT_LIMIT_MS: "5000",
    TOKENS_FILE: join(folder, "tokens"),
    COMPRESS_RESPONSES: "true",
    WIDE_SIMD: "false",
    CORS_ORIGINS: "https://app.example.org",
    KEEP_ALIVE_S: "5",
    OTEL_SDK_DISABLED: "false",
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/v1/traces`,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
    DRAIN_LAG_MS: "100",
    DRAIN_LIMIT_MS: "2000",
  });
});

afterAll(() => {
  collector.close();
  removeCheckout(folder);
});

/** A port that somebody else listens on. */
async function busyPort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return String((server.address() as AddressInfo).port);
}

describe("before the server is built, npm start", () => {
  it.each([
    ["a setting that is none", { LOG_LEVEL: "loud" }, [], 1, "LOG_LEVEL: expected one of trace, "],
    ["a flag that is none", {}, ["--prot", "1"], 2, "Unknown option '--prot'; did you mean --port?"],
    [
      "a file of tokens that is not there",
      { TOKENS_FILE: "/nope" },
      [],
      1,
      "TOKENS_FILE=/nope: there is no such file",
    ],
    ["a port in use", { PORT: "busy" }, [], 1, "the port is in use; choose another with --port"],
    [
      "a port for metrics in use",
      { METRICS_PORT: "busy" },
      [],
      1,
      "the port is in use; choose another with --metrics-port",
    ],
  ])("refuses %s in one line", async (_what, given, args, code, text) => {
    const busy = await busyPort();
    const env = Object.entries({ PORT: ownPort(), ...given }).map(([k, v]) => [k, v === "busy" ? busy : v]);
    const end = await endOf(spawnStart(folder, { env: Object.fromEntries(env), args }) as never);
    expect([end.code, end.err.split("\n").filter((line) => line.startsWith("lossd:"))]).toEqual([
      code,
      [expect.stringContaining(text)],
    ]);
    expect(end.err).not.toContain("    at ");
    expect(existsSync(join(folder, "dist"))).toBe(false);
  });

  it("refuses to build where it may not write, in one line", (context) => {
    const closed = copyReadable();
    onTestFinished(() => {
      chmodSync(closed, 0o755);
      removeCheckout(closed);
    });
    chmodSync(closed, 0o555);
    // Root may write everywhere.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const options = { cwd: closed, env: { PORT: "0" }, encoding: "utf8", ...user } as const;
    if (spawnSync(process.execPath, ["-e", "require('rolldown')"], options).status !== 0)
      return context.skip("another user cannot read this checkout");
    const { status, stderr } = spawnSync(process.execPath, ["build/start.mjs"], options);
    expect([status, stderr]).toEqual([
      1,
      `lossd: the server must be built, and this user may not write to ${closed}/; give write access, then run: npm run build\n`,
    ]);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "or while it is, ends by %s to npm and leaves nothing",
    async (signal) => {
      const child = spawnStart(folder, { env: { PORT: ownPort() } });
      const output = outputOf(child);
      await expect.poll(output, { timeout: 60_000 }).toContain("building");
      process.kill(child.pid!, signal);
      await once(child, "exit");
      expect(await groupEnds(child.pid!)).toBe(true);
      expect(readdirSync(folder).filter((name) => name.startsWith("dist"))).toEqual([]);
    },
  );
});

describe("npm start in a clone without the npm package node", () => {
  it(
    "builds and serves under every setting, proxies, collectors and NODE_ENV at once, silently",
    async () => {
      const env = { ...settings, ...PROXIES, NODE_ENV: "production", OTEL_SERVICE_NAME: "x" };
      const started = await npmStart(folder, settings.PORT!, { env });
      expect(started.output().match(/^lossd: .*$/gm)).toEqual(["lossd: building the server"]);
      expect(started.output()).not.toMatch(/listening|listens on|127\.0\.0\.1/);
      expect(spans).toBe(0);
      await started.stop();
      expect(stalePartsOf(folder)).toEqual([]);
    },
    BUILD_TIMEOUT,
  );

  it("makes files that every user can read, under umask 077 from sources of mode 600", () => {
    for (const entry of readdirSync(join(folder, "dist"), { recursive: true, withFileTypes: true })) {
      // The server that has just run has left more compiled code there.
      if (entry.parentPath.includes("cache")) continue;
      const { mode } = statSync(join(entry.parentPath, entry.name));
      expect(mode & 0o444, entry.name).toBe(0o444);
    }
  });

  it("knows a value of each documented setting but SOCKET, which takes the place of the port (test/server/unix-socket.test.ts)", () => {
    expect([...Object.keys(settings), "SOCKET"].sort()).toEqual(SETTING_ENTRIES.map(([name]) => name).sort());
  });

  it.each([
    ["no setting", () => ({})],
    ["every setting", () => settings],
    ["proxies that are not there", () => PROXIES],
    ["NODE_ENV=production", () => ({ NODE_ENV: "production" })],
    ["a collector that is not there", () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: DEAD })],
    [
      "another program's collector",
      () => ({ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }),
    ],
    ["other OTEL_ variables", () => ({ OTEL_METRICS_EXPORTER: "prometheus", OTEL_LOGS_EXPORTER: "console" })],
  ] as const)(
    "starts again under %s without building",
    async (_what, envOf) => {
      const env: Record<string, string> = envOf();
      const { startMs, output, stop } = await npmStart(folder, env.PORT ?? ownPort(), { env });
      quickest.startMs = Math.min(quickest.startMs, startMs);
      expect(output()).not.toContain("building");
      await stop();
    },
    60_000,
  );

  it("answers in under 3 s where nothing is to be built", () => {
    expect(quickest.startMs).toBeLessThan(SECOND_START_MS);
  });

  it.each([
    ["SIGTERM", "npm", "1"],
    ["SIGTERM", "npm", "2"],
    ["SIGTERM", "group", "2"],
    ["SIGINT", "npm", "2"],
    ["SIGINT", "group", "2"],
  ] as const)(
    "ends by %s to %s, with %s processes",
    async (signal, to, WORKERS) => {
      const { stop } = await npmStart(folder, ownPort(), { env: { WORKERS } });
      await stop(signal, to);
    },
    60_000,
  );

  it("serves from a checkout that is read-only, and writes nothing", async () => {
    const before = timesOf(folder);
    // Node's permission model stands in for a read-only disk: it holds for root, too.
    const port = ownPort();
    const env = { NODE_OPTIONS: "--permission --allow-fs-read=*", WORKERS: "1" };
    const child = spawn(process.execPath, ["build/start.mjs", "--port", port, "--drain-lag-ms", "0"], {
      cwd: folder,
      env,
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ready = async () =>
      (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined))?.status;
    await expect.poll(ready).toBe(200);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(timesOf(folder)).toEqual(before);
  });

  it(
    "twice at once builds once, and both serve",
    async () => {
      rmSync(join(folder, "dist"), { recursive: true });
      const both = await Promise.all([npmStart(folder, ownPort()), npmStart(folder, ownPort())]);
      const output = both.map((one) => one.output()).join("");
      expect(output.match(/building .*/g)).toEqual(["building the server"]);
      for (const { stop } of both) await stop();
      expect(readdirSync(folder).filter((name) => name.startsWith("dist"))).toEqual(["dist"]);
    },
    BUILD_TIMEOUT,
  );
});

/** When each file and folder but the packages and the compiled code was written. */
function timesOf(root: string): Record<string, number> {
  const entries = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (name) => !/^(?:node_modules|bin)\b|^\./.test(name),
  );
  return Object.fromEntries(entries.map((name) => [name, statSync(join(root, name)).mtimeMs]));
}
