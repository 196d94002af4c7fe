/**
 * `npm run sdk:matrix [generator...]`: generates a client with each generator, compiles and runs a small program of it against a server, and
 * writes the results to matrix.json and docs/sdk.md. Rows of generators that are not named or cannot be installed stay.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Generator } from "./generators.ts";
import { GENERATORS } from "./generators.ts";
import type { Row } from "./matrix-table.ts";
import { toTable } from "./matrix-table.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const WORK = `${ROOT}/sdk/matrix`;
const RESULTS = new URL("matrix.json", import.meta.url);
const PAGE = new URL("../../docs/sdk.md", import.meta.url);
const FILES = { "3.1": "openapi.json", "3.0": "openapi-3.0.json" };
/** The loss of logits 2, 1, 0 at class 0. */
const LOSS = Math.log(1 + Math.exp(-1) + Math.exp(-2));
const LOSS_TOLERANCE = 1e-6;
const COMMAND_LIMIT_MS = 600_000;

const execute = promisify(execFile);

/** Starts the built server on a free port; returns its address and a function to stop it. */
async function startServer(): Promise<{ url: string; stop: () => void }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  await new Promise((closed) => probe.close(closed));
  const url = `http://127.0.0.1:${port}`;
  const env = { ...process.env, HOST: "127.0.0.1", PORT: String(port), LOG_LEVEL: "error" };
  const server = spawn(process.execPath, ["dist/main.js"], { cwd: ROOT, env, stdio: "inherit" });
  for (let left = 300; server.exitCode === null && left > 0; left -= 1) {
    const ready = await fetch(`${url}/health/ready`).catch(() => undefined);
    if (ready?.ok) return { url, stop: () => server.kill() };
    await new Promise((wake) => setTimeout(wake, 100));
  }
  server.kill();
  throw new Error("the server did not start; npm run build");
}

interface Outcome {
  readonly ok: boolean;
  readonly text: string;
}

/** Runs a step of a generator in its folder. */
async function step(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Outcome> {
  try {
    const { stdout } = await execute("bash", ["-ec", command], { cwd, env, timeout: COMMAND_LIMIT_MS });
    return { ok: true, text: stdout };
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    console.log(`  ${(stdout + stderr).trim().split("\n").slice(0, 6).join("\n  ")}`);
    return { ok: false, text: stdout };
  }
}

/** Parses a program's output for its loss and its NaN loss: `right` for null, `error` for an error, otherwise the output. */
function judge({ ok, text }: Outcome): Pick<Row, "loss" | "nan"> {
  const [, printed] = /^loss (.+)$/m.exec(text) ?? [];
  const [, nan] = /^nan (.+)$/m.exec(text) ?? [];
  if (printed === undefined) return { loss: "no", nan: "not run" };
  const loss = Math.abs(Number(printed) - LOSS) < LOSS_TOLERANCE ? "yes" : `wrong: ${printed}`;
  if (nan === undefined) return { loss, nan: ok ? "nothing" : "error" };
  return { loss, nan: /^(null|None|nil)$/.test(nan) ? "right" : `wrong: ${nan}` };
}

/** Successful commands of this run. */
const installed = new Set<string>();

/** Tests a generator with a document; undefined if it cannot be installed. */
async function tryOut(
  generator: Generator,
  document: Row["document"],
  url: string,
): Promise<Row | undefined> {
  const { name, version, settings, program, compile, run } = generator;
  const folder = `${WORK}/${name.replaceAll(" ", "-")}-${document}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/package.json`, '{ "type": "commonjs" }\n');
  const tools = ["node_modules/.bin", "venv/bin", "cargo/bin"].map((tool) => `${WORK}/${tool}`);
  const env = {
    ...process.env,
    ROOT,
    DOC: document,
    DOCUMENT: `${ROOT}/openapi/${FILES[document]}`,
    LOSSD_URL: url,
    PATH: [...tools, process.env.PATH].join(":"),
    CARGO_TARGET_DIR: `${WORK}/target`,
  };
  for (const command of [...generator.needs, generator.install]) {
    if (!installed.has(command) && !(await step(command, folder, env)).ok) {
      console.log(`${name}: skipped, \`${command.slice(0, 60)}\` fails`);
      return undefined;
    }
    installed.add(command);
  }
  const row = { generator: name, version, document, settings };
  const nothing = { compiles: "not run", loss: "not run", nan: "not run" };
  const generated = await step(generator.generate, folder, env);
  if (!generated.ok) return { ...row, generates: "no", ...nothing };
  const source = `${ROOT}/openapi/sdk/programs/${program?.[0].replace("$DOC", document)}`;
  if (program === undefined || compile === undefined || run === undefined || !existsSync(source))
    return { ...row, generates: "generated only", ...nothing };
  mkdirSync(dirname(`${folder}/${program[1]}`), { recursive: true });
  copyFileSync(source, `${folder}/${program[1]}`);
  const compiled = await step(compile, folder, env);
  if (!compiled.ok) return { ...row, generates: "yes", ...nothing, compiles: "no" };
  return { ...row, generates: "yes", compiles: "yes", ...judge(await step(run, folder, env)) };
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !GENERATORS.some((generator) => generator.name === name));
if (unknown !== undefined) {
  console.error(`expected one of ${GENERATORS.map(({ name }) => name).join(", ")}; got ${unknown}`);
  process.exit(1);
}
const recorded = (): readonly Row[] => (existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, "utf8")) : []);

/** Records a row at once, so that an interrupted run keeps its results. */
function record(found: Row): void {
  const known = [found, ...recorded()];
  const skipped = { generates: "not run", compiles: "not run", loss: "not run", nan: "not run" };
  const rows = GENERATORS.flatMap(({ name, version, settings, documents }) =>
    documents.map((document) => {
      const row = { generator: name, version, document, settings };
      const same = (old: Row) => Object.entries(row).every(([key, value]) => old[key as keyof Row] === value);
      return known.find(same) ?? { ...row, ...skipped };
    }),
  );
  writeFileSync(RESULTS, `${JSON.stringify(rows, null, 2)}\n`);
  const page = readFileSync(PAGE, "utf8");
  writeFileSync(
    PAGE,
    page.replace(/(<!-- table: generators -->\n\n)(?:\|.*\n)*/, (_, start) => start + toTable(rows)),
  );
}

const { url, stop } = await startServer();
const rows: Row[] = [];
try {
  for (const generator of GENERATORS) {
    if (wanted.length > 0 && !wanted.includes(generator.name)) continue;
    for (const document of generator.documents) {
      const row = await tryOut(generator, document, url);
      if (row === undefined) continue;
      rows.push(row);
      record(row);
      console.log(Object.values(row).join(" | "));
    }
  }
} finally {
  stop();
}
console.log(toTable(rows));
