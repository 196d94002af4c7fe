/** How the build decides what to make, and how it puts it into place. */
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { withLock } from "../../build/lock.ts";
import { runStep } from "../../build/processes.ts";
import { hashOf, PARTS, stalePartsOf } from "../../build/sources.mjs";
import { setModes, swapFolder } from "../../build/swap.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

function makeFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "lossd-build-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) put(folder, name, text);
  return folder;
}

function put(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

const SOURCES = {
  "package.json": '{"devDependencies":{"assemblyscript":"1.0.0"}}',
  "package-lock.json": "{}",
  "tsconfig.json": "{}",
  "tsconfig.build.json": "{}",
  "README.md": "",
  LICENSE: "",
  "docs/start.md": "",
  "reference/index.html": "",
  "build/kernels.ts": "",
  "playground/page.ts": "",
  "src/main.ts": "",
  "src/kernel/assembly/index.ts": "",
};

/** A checkout whose parts are as new as its sources. */
function makeBuilt(): string {
  const folder = makeFolder(SOURCES);
  for (const [part, { outputs, record }] of Object.entries(PARTS)) {
    for (const output of outputs) put(folder, output, "");
    put(folder, record, hashOf(part as "dist", folder));
  }
  return folder;
}

it.each([
  ["nothing", (_: string) => {}, []],
  ["a source of the server", (root: string) => put(root, "src/main.ts", "1"), ["dist"]],
  ["a source of the playground", (root: string) => put(root, "playground/page.ts", "1"), ["dist"]],
  ["a new source", (root: string) => put(root, "src/http/new.ts", ""), ["dist"]],
  ["a removed source", (root: string) => rmSync(join(root, "docs/start.md")), ["dist"]],
  ["a page", (root: string) => put(root, "README.md", "1"), ["dist"]],
  ["the compiler's settings", (root: string) => put(root, "tsconfig.build.json", "[]"), ["dist"]],
  ["a package", (root: string) => put(root, "package-lock.json", "[]"), ["dist"]],
  ["a kernel", (root: string) => put(root, "src/kernel/assembly/index.ts", "1"), ["kernels", "dist"]],
  ["the kernels' options", (root: string) => put(root, "build/kernels.ts", "1"), ["kernels", "dist"]],
  [
    "the kernels' compiler",
    (root: string) => put(root, "package.json", '{"devDependencies":{"assemblyscript":"1.0.1"}}'),
    ["kernels", "dist"],
  ],
  ["the folder dist", (root: string) => rmSync(join(root, "dist"), { recursive: true }), ["dist"]],
  ["one of the kernels", (root: string) => rmSync(join(root, "src/kernel/kernel.wasm")), ["kernels"]],
])("where %s changes, only that and what is made of it is built again", (_name, change, parts) => {
  const root = makeBuilt();
  change(root);
  expect(stalePartsOf(root)).toEqual(parts);
});

it("leaves the new files in place and nothing else, whether there were old ones or not", () => {
  const folder = makeFolder();
  for (const name of ["one", "two", "three"]) {
    put(folder, `new/inner/${name}`, name);
    swapFolder(join(folder, "new"), join(folder, "place"));
    expect(readdirSync(folder)).toEqual(["place"]);
    expect(readdirSync(join(folder, "place/inner"))).toEqual([name]);
  }
});

it("keeps one of 8 folders whole, where 8 processes put theirs into the same place at once", async () => {
  const folder = makeFolder();
  const names = Array.from("abcdefgh");
  const program = `
    import { swapFolder } from ${JSON.stringify(join(ROOT, "build/swap.ts"))};
    swapFolder(...process.argv.slice(1));`;
  for (const name of names) for (const file of ["1", "2"]) put(folder, `dist-${name}/${file}`, name);
  await Promise.all(
    names.map((name) => {
      const args = [
        "--input-type=module-typescript",
        "-e",
        program,
        join(folder, `dist-${name}`),
        join(folder, "dist"),
      ];
      return run(process.execPath, args);
    }),
  );
  expect(readdirSync(folder)).toEqual(["dist"]);
  const [first, second] = ["1", "2"].map((file) => readFileSync(join(folder, "dist", file), "utf8"));
  expect(names).toContain(first);
  expect(second).toBe(first);
});

it("lets every user read what it makes, under any umask and with sources of mode 600", () => {
  const folder = makeFolder({ "main.js": "", "inner/page.html": "" });
  rmSync(join(folder, "inner/page.html"));
  writeFileSync(join(folder, "inner/page.html"), "", { mode: 0o600 });
  mkdirSync(join(folder, "closed"), { mode: 0o700 });
  setModes(folder, ["main.js"]);
  const mode = (name: string): number => statSync(join(folder, name)).mode & 0o777;
  expect(["", "inner", "closed", "main.js", "inner/page.html"].map(mode)).toEqual([
    0o755, 0o755, 0o755, 0o755, 0o644,
  ]);
});

it("lets one at a time under the lock, and frees it after a failure", async () => {
  const file = join(makeFolder(), "dist.lock");
  let holders = 0;
  const work = async (): Promise<void> => {
    expect(++holders).toBe(1);
    await sleep(30);
    holders--;
    throw new Error("failed");
  };
  const results = await Promise.allSettled([1, 2, 3].map(() => withLock(file, work)));
  for (const result of results) expect(result).toMatchObject({ reason: { message: "failed" } });
  expect(existsSync(file)).toBe(false);
});

it("takes a lock over whose holder has not renewed it for 10 s", async () => {
  const file = join(makeFolder({ "dist.lock": "" }), "dist.lock");
  await run("touch", ["-d", "1 minute ago", file]);
  expect(await withLock(file, async () => "done")).toBe("done");
});

it("runs each step in an environment of its own, and shows what it wrote only where it fails", async () => {
  process.env.LOG_LEVEL = "warn";
  onTestFinished(() => void delete process.env.LOG_LEVEL);
  const program = "console.log(JSON.stringify(Object.keys(process.env))); process.exit(3)";
  const failed = runStep("a step", ["-e", program]);
  await expect(failed).rejects.toThrow(/^a step ended with code 3:\n\["PATH"(?:,"TMPDIR")?\]$/);
});

it("ends a step at its time limit", async () => {
  const endless = runStep("a step", ["-e", "setInterval(() => {}, 1000)"], 300);
  await expect(endless).rejects.toThrow(/^a step is not done after 300 ms$/);
});
