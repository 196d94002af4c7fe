/** The house keeps its own rules: arrows between rooms, no cycles, tables that agree with the code. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { SETTINGS } from "../src/config.ts";
import { PROBLEMS } from "../src/problems.ts";

const ROOT = resolve(import.meta.dirname, "..");
const SRC = join(ROOT, "src");

/** Which rooms a room may import from; files at the top of src are rooms of their own. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  kernel: ["tensor"],
  tensor: [],
  loss: ["tensor", "kernel"],
  wire: ["tensor", "kernel", "problems.ts", "loss"],
  http: ["wire", "loss", "tensor", "kernel", "problems.ts", "version.ts", "tokens-file.ts", "near.ts"],
  "problems.ts": [],
  "near.ts": [],
  "tokens-file.ts": ["plain.ts"],
  "config.ts": ["plain.ts"],
  "plain.ts": [],
  "version.ts": [],
  library: ["loss", "tensor", "kernel", "near.ts"],
  "index.ts": ["library", "loss", "tensor"],
  "app.ts": ["http"],
  "group.ts": ["plain.ts", "gather.ts", "http", "membership.ts"],
  "membership.ts": ["gather.ts", "problems.ts"],
  "gather.ts": [],
  cli: ["config.ts", "plain.ts", "wire", "tokens-file.ts", "near.ts"],
  "pages.ts": ["http"],
  playground: [],
  "listen.ts": ["config.ts"],
  "log-sink.ts": [],
  "socket.ts": ["config.ts"],
  "serve.ts": [
    "app.ts",
    "pages.ts",
    "plain.ts",
    "config.ts",
    "listen.ts",
    "log-sink.ts",
    "socket.ts",
    "membership.ts",
    "http",
    "kernel",
    "tensor",
  ],
  "main.ts": ["process.ts"],
  "process.ts": [
    "cli",
    "config.ts",
    "plain.ts",
    "group.ts",
    "log-sink.ts",
    "membership.ts",
    "http",
    "serve.ts",
    "socket.ts",
    "version.ts",
  ],
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.startsWith(join("kernel", "assembly")))
  .map((file) => join(SRC, file));

function importsOf(file: string, runtimeOnly: boolean): string[] {
  const pattern = runtimeOnly ? /^(?:import|export)(?! type)[^;]*?from "(\..*?)";/gms : /from "(\..*?)"/g;
  return [...readFileSync(file, "utf8").matchAll(pattern)].map((match) => resolve(file, "..", match[1]!));
}

const roomOf = (file: string): string => relative(SRC, file).split("/")[0]!;

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

  it("touches process in process.ts only, and in the entry, which loads it", () => {
    for (const file of files) {
      // The playground is code of a browser, and shows code of others.
      if (["process.ts", "main.ts"].includes(relative(SRC, file)) || roomOf(file) === "playground") continue;
      expect(readFileSync(file, "utf8"), file).not.toMatch(/\bprocess\.(?!ts\b)\w|"(?:node:)?process"/);
    }
  });

  it("docs/problems.md lists every code with its status, title and how to mend it, and no other", () => {
    const rows = Object.entries(PROBLEMS).map(
      ([code, { status, title, mend }]) =>
        `| \`${code}\` | ${status} | ${title} | ${mend.replaceAll("|", "\\|")} |`,
    );
    const table = readFileSync(join(ROOT, "docs/problems.md"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(table).toEqual(rows);
  });

  it("README's table of settings agrees with config.ts", () => {
    const settings = Object.entries(SETTINGS.properties) as [
      string,
      { default?: unknown; description?: string },
    ][];
    const rows = settings.map(
      ([name, { default: value, description }]) =>
        `| \`${name}\` | ${value === "" ? "none" : `\`${value}\``} | ${description} |`,
    );
    const table = readFileSync(join(ROOT, "README.md"), "utf8")
      .split("\n")
      .filter((line) => /^\| `[A-Z_]+` \|/.test(line));
    expect(table).toEqual(rows);
  });
});
