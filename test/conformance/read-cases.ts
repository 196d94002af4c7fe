/** The case files. */
import { readFileSync } from "node:fs";
import type { Case } from "./case.ts";

/** Files of cases with results. */
export const FILES = [
  "torch-cases.jsonl",
  "torch2-cases.jsonl",
  "torch2-grid.jsonl",
  "torch2-options.jsonl",
  "kl-div-cases.jsonl",
  "gather-cases.jsonl",
];

/** Lines of a file, each the JSON of a case. */
export function readLines(file: string): string[] {
  return readFileSync(new URL(file, import.meta.url), "utf8")
    .split("\n")
    .filter(Boolean);
}

export function readCases(file: string): Case[] {
  return readLines(file).map((line) => JSON.parse(line) as Case);
}
