/** The command line, as a person types it, and servers that are none, for its tests. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import type { DType } from "../../src/tensor/dtype.ts";
import { writeHeader } from "../../src/wire/safetensors/header.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/main.js");

/** Answers that are none. */
export const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
export const INTERIM = "HTTP/1.1 102 Processing\r\n\r\n";

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Descriptor to write to instead of a pipe. */
  readonly stdout?: number;
}

/** Starts a command. */
export function begin(args: readonly string[], { env = {}, cwd, stdout }: CommandOptions = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["pipe", stdout ?? "pipe", "pipe"],
  }) as ChildProcessWithoutNullStreams;
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** Runs a command to its end. */
export async function lossd(args: readonly string[], options?: CommandOptions) {
  return endOf(begin(args, options));
}

/** What a command wrote, and its exit code. */
export async function endOf(child: ReturnType<typeof begin>) {
  let [out, err] = ["", ""];
  (child.stdout as Readable | null)?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code] = await once(child, "close");
  return { code, out, err };
}

/** A folder for the files of a test file. */
export function useFolder(): (name: string) => string {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lossd-cli-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name) => join(folder, name);
}

/** The address of a server that answers as it likes, until the test is over. */
export async function fake(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(() => server.closeAllConnections());
  return `http://${await listening(server)}`;
}

/** The same with a server that has the bare socket, once something has come. */
export async function fakeBytes(answer: string | ((socket: Socket) => void)): Promise<string> {
  const server = createTcpServer((socket) => {
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {}).on("data", () => {});
    socket.once("data", () => {
      if (typeof answer === "string") socket.end(answer);
      else answer(socket);
    });
  });
  return `http://${await listening(server)}`;
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address where nothing listens. */
export async function freeAddress(): Promise<string> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `127.0.0.1:${port}`;
}

/** A safetensors file of zeros. */
export function zeros(tensors: readonly { name: string; dtype: DType; shape: readonly number[] }[]): Buffer {
  const bytes = { int64: 8, float32: 4 } as Partial<Record<DType, number>>;
  const data = tensors.map(({ dtype, shape }) => Buffer.alloc(shape.reduce((a, b) => a * b, bytes[dtype]!)));
  return Buffer.concat([writeHeader(tensors, {}), ...data]);
}
