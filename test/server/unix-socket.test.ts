/** SOCKET: the server on a Unix socket. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { lossd, zeros } from "../support/command.ts";
import { spawnServer, startProcess } from "../support/process.ts";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lossd-socket-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts it, and waits until each process listens. */
async function start(SOCKET: string, WORKERS: string) {
  const started = spawnServer({ SOCKET, WORKERS, DRAIN_LAG_MS: "0" });
  await expect.poll(started.pids).toHaveLength(Number(WORKERS));
  return started;
}

function ask(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath,
        path: "/v1/cross_entropy",
        method: "POST",
        headers: { "content-type": "application/json" },
      },
      async (answer) => resolve(`${answer.statusCode} ${Buffer.concat(await answer.toArray())}`),
    );
    asked.on("error", reject).end('{"input":[[0,0]],"target":[1]}');
  });
}

const RIGHT = '200 {"loss":0.6931472,"total_weight":1}';

it.each(["1", "2"])(
  "with %s processes answers on SOCKET, with mode 0660 and no port, and removes it at the end",
  async (WORKERS) => {
    const path = join(makeFolder(), "lossd.sock");
    const { child, lines } = await start(path, WORKERS);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    for (let count = 0; count < 10; count++) expect(await ask(path)).toBe(RIGHT);
    expect(lines.join("")).not.toContain("http://");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(existsSync(path)).toBe(false);
  },
);

it.each(["1", "2"])("with %s processes replaces the socket of a server that was killed", async (WORKERS) => {
  const path = join(makeFolder(), "lossd.sock");
  const killed = await start(path, WORKERS);
  killed.child.kill("SIGKILL");
  for (const pid of killed.pids()) if (pid !== killed.child.pid) process.kill(pid, "SIGKILL");
  await once(killed.child, "exit");
  expect(existsSync(path)).toBe(true);
  await start(path, WORKERS);
  expect(await ask(path)).toBe(RIGHT);
});

it("a process of two that dies leaves the socket to the other, and its successor listens on it", async () => {
  const path = join(makeFolder(), "lossd.sock");
  const { pids } = await start(path, "2");
  process.kill(pids()[0]!, "SIGKILL");
  await sleep(20);
  expect(await ask(path)).toBe(RIGHT);
  await expect.poll(pids).toHaveLength(3);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  for (let count = 0; count < 10; count++) expect(await ask(path)).toBe(RIGHT);
});

it("lossd check and lossd send connect to it with --socket, below the folder where the person is", async () => {
  const folder = makeFolder();
  const path = join(folder, "lossd.sock");
  await start(path, "1");
  const file = join(folder, "few.safetensors");
  writeFileSync(
    file,
    zeros([
      { name: "target", dtype: "int64", shape: [2] },
      { name: "input", dtype: "float32", shape: [2, 3] },
    ]),
  );
  const checked = await lossd(["check", "http://localhost", "--socket", "lossd.sock"], { cwd: folder });
  expect(checked.out).toMatch(/^(\d+) of \1 checks passed on http:\/\/localhost\/ at .*lossd\.sock$/m);
  expect(checked.code).toBe(0);
  const told = await lossd(["check", "http://localhost", "--socket", path, "--json"]);
  expect(JSON.parse(told.out)).toMatchObject({ url: "http://localhost/", socket: path, ok: true });
  const sent = await lossd(["send", "few.safetensors", "http://localhost", "--socket", path], {
    cwd: folder,
  });
  expect(JSON.parse(sent.out).loss).toBeCloseTo(Math.log(3), 6);
  expect(sent.code).toBe(0);
});

it("lossd check and lossd send say what is wrong with a socket", async () => {
  const folder = makeFolder();
  const [none, file] = [join(folder, "none.sock"), join(folder, "few.safetensors")];
  writeFileSync(file, zeros([{ name: "input", dtype: "float32", shape: [2, 3] }]));
  const missing = `there is no socket ${none}: is lossd running there?\n`;
  const checked = await lossd(["check", "http://localhost", "--socket", none]);
  expect([checked.code, checked.out]).toEqual([1, expect.stringContaining(`FAIL  it is ready: ${missing}`)]);
  const sent = await lossd(["send", file, "http://localhost", "--socket", none]);
  expect([sent.code, sent.err]).toEqual([1, expect.stringContaining(`lossd: ${missing}`)]);
  const silent = await lossd(["check", "http://localhost", "--socket", file]);
  expect(silent.out).toContain(`FAIL  it is ready: nothing listens on ${file}: is lossd running there?\n`);
});

it("the image's health check asks SOCKET where there is one, otherwise PORT on HOST, and starts no Node", async ({
  skip,
}) => {
  skip(spawnSync("perl", ["-MSocket", "-e", "1"]).status !== 0, "there is no Perl");
  const dockerfile = readFileSync(new URL("../../Dockerfile", import.meta.url), "utf8");
  const [, words] = /^HEALTHCHECK [^\n]*\\\n {2}CMD (\[.*\])$/m.exec(dockerfile)!;
  const [program, ...args] = JSON.parse(words!) as [string, ...string[]];
  expect(program).toBe("perl");
  const isHealthy = async (env: Record<string, string>): Promise<number> => {
    const base = { PATH: process.env.PATH, HOST: "0.0.0.0", PORT: "1" };
    const [code] = await once(spawn(program, args, { env: { ...base, ...env } }), "exit");
    return code;
  };
  const path = join(makeFolder(), "lossd.sock");
  await start(path, "1");
  const { port, stop } = await startProcess({ DRAIN_LAG_MS: "0" });
  expect(await isHealthy({ SOCKET: path })).toBe(0);
  expect(await isHealthy({ SOCKET: `${path}x` })).toBe(1);
  expect(await isHealthy({ SOCKET: "", PORT: String(port) })).toBe(0);
  for (const HOST of ["0.0.0.0", "127.0.0.1", "localhost", "::", ""])
    expect(await isHealthy({ PORT: String(port), HOST })).toBe(0);
  await stop();
  expect(await isHealthy({ PORT: String(port) })).toBe(1);
  const addresses = Object.values(networkInterfaces()).flat();
  if (!addresses.some((own) => own?.address === "::1")) return;
  const onSix = await startProcess({ DRAIN_LAG_MS: "0", HOST: "::1" });
  expect(await isHealthy({ PORT: String(onSix.port), HOST: "::1" })).toBe(0);
});

/** The one line with which it does not start. */
async function refusal(SOCKET: string, WORKERS: string): Promise<string> {
  const { child, errors } = spawnServer({ SOCKET, WORKERS, DRAIN_LAG_MS: "0" });
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  return errors();
}

it.each(["1", "2"])(
  "with %s processes refuses a socket on which another server listens, and leaves it",
  async (WORKERS) => {
    const path = join(makeFolder(), "lossd.sock");
    const other = createServer().listen(path);
    onTestFinished(() => void other.close());
    await once(other, "listening");
    expect(await refusal(path, WORKERS)).toBe(
      `lossd: SOCKET=${path}: another server listens on it; choose another path with --socket\n`,
    );
    expect(existsSync(path)).toBe(true);
  },
);

it.each(["1", "2"])("with %s processes refuses a file that is no socket, and leaves it", async (WORKERS) => {
  const path = join(makeFolder(), "notes.txt");
  writeFileSync(path, "notes");
  expect(await refusal(path, WORKERS)).toBe(`lossd: SOCKET=${path}: the existing file is not a socket\n`);
  expect(readFileSync(path, "utf8")).toBe("notes");
});

it.each(["1", "2"])(
  "with %s processes refuses a missing folder and a path over 107 bytes",
  async (WORKERS) => {
    const folder = makeFolder();
    const missing = join(folder, "no", "lossd.sock");
    expect(await refusal(missing, WORKERS)).toBe(`lossd: SOCKET=${missing}: its folder does not exist\n`);
    const long = join(folder, "s".repeat(108));
    expect(await refusal(long, WORKERS)).toBe(
      `lossd: SOCKET=${long}: expected a path of at most 107 bytes\n`,
    );
  },
);
