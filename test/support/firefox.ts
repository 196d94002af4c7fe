/** Debian's Firefox, driven by WebDriver BiDi, which playwright-core does not speak with it. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll } from "vitest";

const FIREFOX = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);

export const HAS_FIREFOX = FIREFOX !== undefined;

/** A tab. Every script's error and violation of the policy is in `errors`. */
export interface FirefoxTab {
  readonly errors: string[];
  open(url: string): Promise<void>;
  /** Returns the value of an expression in the page, as JSON. Waits for a promise. */
  evaluate<Value>(expression: string): Promise<Value>;
  /** Counts the elements with a role, and a name, in the accessibility tree. */
  count(role: string, name?: string): Promise<number>;
  press(...keys: readonly string[]): Promise<void>;
  resize(width: number, height: number): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly message?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each command has its own result
  readonly result?: any;
  readonly params?: { readonly level: string; readonly text: string };
}

type Send = (method: string, params: object) => Promise<NonNullable<Message["result"]>>;

/** Starts Firefox, if it is installed, before the tests of a file. Returns a function that returns its tab. */
export function useFirefox(): () => FirefoxTab {
  const profile = mkdtempSync(join(tmpdir(), "lossd-firefox-"));
  let firefox: ChildProcess | undefined;
  let tab: FirefoxTab;
  beforeAll(async () => {
    if (FIREFOX === undefined) return;
    const flags = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"];
    firefox = spawn(FIREFOX, flags, { stdio: ["ignore", "ignore", "pipe"] });
    tab = await connect(await addressOf(firefox));
  }, 60_000);
  afterAll(async () => {
    if (firefox?.exitCode === null) {
      const exit = new Promise((resolve) => firefox!.once("exit", resolve));
      firefox.kill();
      await exit;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return () => tab;
}

/** Reads the address of the protocol, which Firefox prints. */
async function addressOf({ stderr }: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: stderr! })) {
    const address = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
    // Without a reader, Firefox would wait once the pipe is full.
    if (address !== undefined) return stderr!.resume() && `${address}/session`;
  }
  throw new Error("Firefox ended before it listened");
}

async function connect(address: string): Promise<FirefoxTab> {
  const errors: string[] = [];
  const send = await openSocket(address, ({ params }) => {
    if (params?.level === "error") errors.push(params.text);
  });
  await send("session.new", { capabilities: {} });
  await send("session.subscribe", { events: ["log.entryAdded"] });
  // The tab with which Firefox starts never has the focus.
  const { context } = await send("browsingContext.create", { type: "tab" });
  return {
    errors,
    open: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
    evaluate: async (expression) => {
      const json = `(async () => JSON.stringify(await (${expression})) ?? "null")()`;
      const params = { expression: json, target: { context }, awaitPromise: true };
      const { result, exceptionDetails } = await send("script.evaluate", params);
      if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
      return JSON.parse(result.value);
    },
    count: async (role, name) => {
      const locator = { type: "accessibility", value: { role, ...(name !== undefined && { name }) } };
      return (await send("browsingContext.locateNodes", { context, locator })).nodes.length;
    },
    press: async (...keys) => {
      const actions = keys.flatMap((value) => ["keyDown", "keyUp"].map((type) => ({ type, value })));
      await send("input.performActions", { context, actions: [{ type: "key", id: "keys", actions }] });
    },
    resize: (width, height) => send("browsingContext.setViewport", { context, viewport: { width, height } }),
  };
}

/** Opens the connection. Returns a function that sends a command and waits for its result. */
async function openSocket(address: string, handleEvent: (event: Message) => void): Promise<Send> {
  const socket = new WebSocket(address);
  const waiting = new Map<number, (message: Message) => void>();
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data) as Message;
    if (message.id === undefined) handleEvent(message);
    else waiting.get(message.id)?.(message);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("Firefox does not listen")));
  });
  let last = 0;
  return async (method, params) => {
    const id = ++last;
    const answer = new Promise<Message>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { result, message } = await answer;
    if (result === undefined) throw new Error(`${method}: ${message}`);
    return result;
  };
}
