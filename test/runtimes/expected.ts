/** The report of the library in this process, which has the server's bits (test/library/server-bits.test.ts). */
import { readFileSync } from "node:fs";
import * as lossd from "lossd";
import { expect } from "vitest";
import { FILES, readCases } from "../conformance/read-cases.ts";
import type { Report } from "./conformance.ts";
import { runCases } from "./conformance.ts";

type Build = "kernel.wasm" | "kernel-plain.wasm";

/** Bits differ between the builds, because one has fused steps. */
async function expectedReport(build: Build): Promise<Report> {
  lossd.initSync(readFileSync(new URL(`../../dist/core/${build}`, import.meta.url)));
  return runCases(lossd, FILES.flatMap(readCases));
}

/** Expects every case to pass, with the bits of this process. */
export async function expectReport(report: Report, build: Build = "kernel.wasm"): Promise<void> {
  expect(report.failures).toEqual([]);
  expect(report.cases).toBeGreaterThan(4900);
  expect(report).toEqual(await expectedReport(build));
}
