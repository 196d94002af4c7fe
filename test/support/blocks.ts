/** The code blocks of a page, and how they are run. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "vitest";
import { expectAlmost } from "./almost.ts";

export interface Block {
  readonly language: string;
  readonly text: string;
}

const run = promisify(execFile);
/** Where blocks run: here "lossd" is the package itself, as it was built. */
const cwd = fileURLToPath(new URL("../..", import.meta.url));

/** A page of the repository, by its path. */
export function readPage(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/```(\w*)\n(.*?)```/gs)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));
}

/** Rows of the table whose first column has this title, as cells. */
export function tableOf(page: string, title: string): string[][] {
  const [, text] = page.split(new RegExp(`^\\| ${title} \\|.*\\n\\|[-|]+\\n`, "m"));
  const rows = text!.split("\n\n")[0]!.trim().split("\n");
  return rows.map((row) => row.split("|").slice(1, -1)).map((row) => row.map((cell) => cell.trim()));
}

/** Runs a block of curl, python or ts against the server at `url` in the place of the one that the page names; what it prints. */
export async function runBlock({ language, text }: Block, url: string): Promise<string> {
  const code = text.replaceAll("http://127.0.0.1:8080", url);
  const commands: Readonly<Record<string, readonly [string, ...string[]]>> = {
    sh: ["bash", "-c", code.replace(/^curl /, "curl -sS ")],
    python: ["python3", "-c", code],
    ts: [process.execPath, "--input-type=module-typescript", "-e", code],
  };
  const [program, ...args] = commands[language]!;
  return (await run(program, args, { cwd })).stdout;
}

/** Numbers of a text, for comparing what programs print. */
export const numbersIn = (text: string): number[] =>
  (text.match(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g) ?? []).map(Number);

/** Expects that a program prints what a page says, but for the last digits. */
export function expectPrinted(printed: string, said: string): void {
  expectAlmost(numbersIn(printed), numbersIn(said));
  expect(printed.replaceAll(/[\d.]+/g, "#")).toBe(said.replaceAll(/[\d.]+/g, "#"));
}
