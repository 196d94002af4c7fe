/** Generates an SDK and uses it as its page says: the code of the page is put together, compiled and run against a server. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { missingTool, SDKS } from "../../openapi/sdk/sdks.ts";
import { digestTokens } from "../../src/http/server/auth.ts";
import { VERSION } from "../../src/version.ts";
import { blocksOf, expectPrinted, readPage } from "../support/blocks.ts";
import { asGone, asItIs, asLaterVersion, asProxy, useFront } from "../support/front.ts";
import { useService } from "../support/service.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
export const ADDRESS = "http://127.0.0.1:8080";
/** The token of the pages. */
export const TOKEN = "a-token";

/** What makes the tools of the pages faster, beside the environment of the tests. */
const FASTER = {
  npm_config_prefer_offline: "true",
  // One for all runs, so that cargo compiles what the client depends on once.
  CARGO_TARGET_DIR: join(ROOT, "sdk/target"),
  // None of the programs in Java runs long enough for the optimizing compiler to pay off.
  JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
  // Kotlin compiles again only what has changed.
  MAVEN_OPTS: "-Dkotlin.compiler.incremental=true",
};

const execute = promisify(execFile);

/** Runs a block of a page in a shell, in a folder; what it prints. */
export async function shell(block: string, cwd: string): Promise<string> {
  const env = { ...process.env, LOSSD: ROOT, ...FASTER };
  // Maven resets colours that it has not set.
  return stripVTControlCharacters((await execute("bash", ["-ec", block], { cwd, env })).stdout);
}

/** Whether a command failed because no package registry answered. */
export function isOffline(error: unknown): boolean {
  const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
  return /ENOTFOUND|EAI_AGAIN|ENOTCACHED|ECONNREFUSED|Unknown ?host|name resolution|NewConnectionError|Network is unreachable|Connection refused|offline mode/i.test(
    stdout + stderr,
  );
}

export const TSC = `${ROOT}/node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module nodenext --target esnext --allowImportingTsExtensions --types node --typeRoots ${ROOT}/node_modules/@types`;

/** What a program is called, the language of its blocks, and a check that prints nothing where all is well. */
const PROGRAMS: Readonly<Record<string, { file: string; code: string; check: string }>> = {
  typescript: { file: "client.ts", code: "ts", check: `${TSC} client.ts` },
  python: { file: "client.py", code: "python", check: "" },
  java: { file: "Client.java", code: "java", check: "" },
  kotlin: { file: "src/main/kotlin/Client.kt", code: "kotlin", check: "" },
  go: { file: "client.go", code: "go", check: "go vet . && gofmt -l ." },
  rust: { file: "src/main.rs", code: "rust", check: "cargo fmt --check" },
};

/** Tests an SDK. The languages have a file each, so that they are tested side by side. */
export function testSdk(language: string): void {
  const sdk = SDKS.find((one) => one.language === language)!;
  const open = useService();
  const guarded = useService({ tokens: digestTokens([TOKEN]) });
  const front = useFront();
  const page = readPage(`docs/sdk-${sdk.language}.md`);
  const { file, code, check } = PROGRAMS[sdk.language]!;
  const blocks = blocksOf(page);
  const texts = (language: string): string[] =>
    blocks.filter((block) => block.language === language).map(({ text }) => text);
  const [generate = "", install = "", start = ""] = texts("sh");
  const [said = ""] = texts("text");

  let folder: string;
  let isInstalled = false;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), `lossd-${sdk.language}-`));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Writes the page's program, and runs it. */
  async function runProgram(withToken: boolean): Promise<string> {
    const parts = texts(code).filter((text) => withToken || !text.includes(TOKEN));
    const program = parts.join("\n").replaceAll(ADDRESS, front().url);
    // A file that is as it was stays as old as it was, so that cargo and Kotlin do not compile it again.
    const path = join(folder, file);
    if (!existsSync(path) || readFileSync(path, "utf8") !== program) writeFileSync(path, program);
    return shell(start, folder);
  }

  it("is generated and installed by copying its page, whose pieces are one program", async ({ skip }) => {
    const missing = await missingTool(sdk);
    skip(missing !== undefined, `\`${missing}\` fails`);
    try {
      await shell(generate, ROOT);
      await shell(install, folder);
    } catch (error) {
      skip(isOffline(error), "no package registry can be reached");
      throw error;
    }
    isInstalled = true;
    Object.assign(front(), { target: open().url, manner: asItIs });
    expectPrinted(await runProgram(false), said);
    expect(await shell(check, folder)).toBe("");
  }, 600_000);

  it("tells errors of lossd from a proxy's page and from no response", async ({ skip }) => {
    skip(!isInstalled, "it is not installed");
    for (const status of [502, 503]) {
      Object.assign(front(), { target: open().url, manner: asProxy(status) });
      const told = said.replace(/^target_out.*$/m, `not a response of lossd: ${status}`);
      expectPrinted(await runProgram(false), told);
    }
    front().manner = asGone;
    expect(await runProgram(false)).toMatch(/^no response: [\s\S]*^values 100000 /m);
  }, 300_000);

  it("is refused without a token", async ({ skip }) => {
    skip(!isInstalled, "it is not installed");
    Object.assign(front(), { target: guarded().url, manner: asItIs });
    const refused = await runProgram(false).catch(({ stdout, stderr }) => stdout + stderr);
    expect(refused).toMatch(/\b401\b/);
  }, 120_000);

  // Last and together, because Kotlin compiles a program that has one more line for ten seconds on a busy machine.
  it("sends a token with the page's one more line, and reads new fields and a new code", async ({ skip }) => {
    skip(!isInstalled, "it is not installed");
    Object.assign(front(), { target: guarded().url, manner: asLaterVersion });
    expectPrinted(await runProgram(true), said.replace("target_out_of_bounds", "a_later_code"));
  }, 120_000);

  it("has a page without a block that nobody runs", () => {
    expect([texts("sh").length, texts("text").length]).toEqual([3, 1]);
    for (const { language } of blocks) expect(["sh", "text", "xml", code]).toContain(language);
    for (const [, version] of page.matchAll(/(?:<version>|\/lossd-)(\d[\d.]*)(?:<|\.jar)/g))
      expect(version).toBe(VERSION);
    expect(texts(code).filter((text) => text.includes(TOKEN)).length).toBe(1);
  });
}
