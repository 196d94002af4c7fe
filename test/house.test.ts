/** The house keeps its own rules: arrows between rooms, no cycles, tables that agree with the code. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { PROBLEMS } from "../src/problems.ts";

const ROOT = resolve(import.meta.dirname, "..");
const SRC = join(ROOT, "src");

/**
 * The folders that each folder may import from. The parts of http and wire are folders of their own, and so is every file beside folders, such
 * as http/context.ts.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli"],
  "index.ts": ["library", "loss", "tensor"],
  config: ["user-error.ts"],
  "problems.ts": [],
  "user-error.ts": [],
  "version.ts": [],
  cli: ["server", "wire", "loss", "config", "user-error.ts", "version.ts"],
  server: ["http", "kernel", "tensor", "config", "user-error.ts", "problems.ts", "version.ts"],
  http: ["wire", "loss", "kernel", "tensor", "user-error.ts", "problems.ts", "version.ts"],
  runtimes: ["index.ts", "library", "kernel"],
  library: ["loss", "kernel", "tensor", "user-error.ts"],
  wire: ["kernel", "tensor", "problems.ts"],
  loss: ["kernel", "tensor"],
  kernel: ["tensor"],
  tensor: [],
};
const PLAYGROUND = join(ROOT, "playground");
const pageFiles = readdirSync(PLAYGROUND, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join(PLAYGROUND, file));
const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !/^kernel.assembly/.test(file))
  .map((file) => join(SRC, file));

function importsOf(file: string, runtimeOnly: boolean): string[] {
  const pattern = runtimeOnly ? /^(?:import|export)(?! type)[^;]*?from "(\..*?)";/gms : /from "(\..*?)"/g;
  return [...readFileSync(file, "utf8").matchAll(pattern)].map((match) => resolve(file, "..", match[1]!));
}

/** The part of a path by which ARROWS knows it. */
const roomOf = (file: string): string => relative(SRC, file).split("/")[0]!;

/** The folder of a file; a file beside folders counts as one. */
function folderOf(file: string): string {
  const folder = dirname(file);
  const hasFolders = readdirSync(folder, { withFileTypes: true }).some((entry) => entry.isDirectory());
  return relative(SRC, hasFolders ? file : folder);
}

describe("the house", () => {
  it.each(files.map((file) => [relative(SRC, file), file] as const))(
    "%s imports only where an arrow goes",
    (_name, file) => {
      const room = roomOf(file);
      for (const imported of importsOf(file, false)) {
        const other = roomOf(imported);
        if (other !== room) expect(ARROWS[room], `${room} -> ${other}`).toContain(other);
      }
    },
  );

  it("has no import cycles at run time", () => {
    const done = new Set<string>();
    const walk = (file: string, path: readonly string[]): void => {
      expect(path.includes(file) ? [...path, file].map((step) => relative(SRC, step)) : []).toEqual([]);
      if (done.has(file)) return;
      for (const imported of importsOf(file, true)) walk(imported, [...path, file]);
      done.add(file);
    };
    for (const file of files) walk(file, []);
  });

  it("has no import cycles between folders, types included", () => {
    const imports = new Map<string, Set<string>>();
    for (const file of files) {
      const folder = folderOf(file);
      const others = imports.get(folder) ?? new Set();
      for (const imported of importsOf(file, false)) others.add(folderOf(imported));
      imports.set(folder, others);
    }
    const done = new Set<string>();
    const walk = (folder: string, path: readonly string[]): void => {
      expect(path.includes(folder) ? [...path, folder] : []).toEqual([]);
      if (done.has(folder)) return;
      for (const other of imports.get(folder) ?? []) if (other !== folder) walk(other, [...path, folder]);
      done.add(folder);
    };
    for (const folder of imports.keys()) walk(folder, []);
  });

  it("the playground's folders import in one direction, and from src the library only", () => {
    const order = ["tensors", "request", "steps", "view", "page.ts"];
    for (const file of pageFiles) {
      for (const imported of importsOf(file, false)) {
        if (file === join(PLAYGROUND, "tensors/library.ts")) expect(imported).toBe(join(SRC, "index.ts"));
        else {
          const [own, other] = [file, imported].map((one) =>
            order.indexOf(relative(PLAYGROUND, one).split("/")[0]!),
          );
          expect(other, `${file} -> ${imported}`).toBeGreaterThanOrEqual(0);
          expect(own, `${file} -> ${imported}`).toBeGreaterThanOrEqual(other!);
        }
      }
    }
  });

  it("the playground has no import cycles at run time, and each of its files is in CONTRIBUTING.md", () => {
    const walk = (file: string, path: readonly string[]): void => {
      expect(path.includes(file) ? [...path, file] : []).toEqual([]);
      for (const imported of importsOf(file, true))
        if (imported.startsWith(PLAYGROUND)) walk(imported, [...path, file]);
    };
    for (const file of pageFiles) walk(file, []);
    const [, table] = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8").split("| file of `playground/` |");
    const listed = table!
      .split("\n\n")[0]!
      .split("\n")
      .flatMap((row) => {
        const folder = /`([a-z]+\/)`:/.exec(row)?.[1] ?? "";
        return [...row.split(" | ")[0]!.matchAll(/`([\w-]+\.ts)`/g)].map(([, name]) => `${folder}${name}`);
      });
    expect(listed.sort()).toEqual(pageFiles.map((file) => relative(PLAYGROUND, file)).sort());
  });

  it("has at most five loose files in src", () => {
    expect(readdirSync(SRC).filter((name) => name.endsWith(".ts")).length).toBeLessThanOrEqual(5);
  });

  it("touches process in main.ts, cli/run.ts and server only, but for the event loop's ticks", () => {
    for (const file of files) {
      if (["main.ts", "cli/run.ts"].includes(relative(SRC, file)) || roomOf(file) === "server") continue;
      expect(
        readFileSync(file, "utf8").replace('import { nextTick } from "node:process";', ""),
        file,
      ).not.toMatch(/\bprocess\.(?!ts\b)\w|"(?:node:)?process"/);
    }
  });

  it("docs/problems.md lists every code with its status, title and remedy, and no other", () => {
    const rows = Object.entries(PROBLEMS).map(
      ([code, { status, title, remedy }]) =>
        `| \`${code}\` | ${status} | ${title} | ${remedy.replaceAll("|", "\\|")} |`,
    );
    const table = readFileSync(join(ROOT, "docs/problems.md"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(table).toEqual(rows);
  });

  it("docs/problems.md tells what to do after every status", () => {
    const [, retries] = readFileSync(join(ROOT, "docs/problems.md"), "utf8").split("\n## Retries\n");
    const named = [...retries!.matchAll(/^\| status (\d+) \|/gm)].map(([, status]) => Number(status));
    const statuses = new Set(Object.values(PROBLEMS).map(({ status }) => status as number));
    expect(statuses.has(429)).toBe(false);
    expect([...statuses].filter((status) => status === 408 || status >= 500).sort()).toEqual(named.sort());
  });
});
