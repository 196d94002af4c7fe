/** Visits of the playground by Debian's chromium, and actions on the page. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import type { Service } from "../support/service.ts";

export const CHROMIUM = "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The lesson with which most visits begin. */
const START = "#example=rows&v=1";

export interface VisitOptions {
  readonly colorScheme?: "light" | "dark";
  readonly forcedColors?: "active";
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly hasTouch?: boolean;
  readonly isMobile?: boolean;
  readonly reducedMotion?: "reduce";
  readonly permissions?: string[];
}

export type Visit = (
  work: (page: Page) => Promise<void>,
  options?: VisitOptions,
  url?: string,
) => Promise<void>;

/** Opens the page, works with it, and makes sure that nothing failed and that no request left the server. */
export function useVisits(service: () => Service): Visit {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(() => browser?.close());
  return async (work, options = {}, url = service().url) => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith("data:")) faults.push(request.url());
    });
    try {
      await page.goto(`${url}/${START}`);
      await page.waitForSelector("#step-input");
      await work(page);
      expect(faults).toEqual([]);
    } finally {
      await context.close();
    }
  };
}

/** Replaces a text, and waits for the task in which the page follows it. */
export async function fill(page: Page, selector: string, text: string): Promise<void> {
  await page.fill(selector, text);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
}

export async function choose(page: Page, title: string): Promise<void> {
  await page.selectOption("#example", { label: title });
}

/** Returns the request of the code sample in curl. */
export async function sampleOf(page: Page): Promise<Record<string, unknown>> {
  const code = (await page.textContent("#sample"))!;
  return JSON.parse(code.split("-d '\n")[1]!.slice(0, -1));
}

interface Axe {
  run(
    context: string | Document,
    options: { readonly runOnly?: readonly string[] },
  ): Promise<{ readonly violations: readonly { readonly id: string; readonly nodes: { html: string }[] }[] }>;
}

/** Returns the violations that axe finds, by default of all its rules in all of the page. */
export async function faultsOf(
  page: Page,
  parts?: string,
  options: { readonly runOnly?: readonly string[] } = {},
): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const run = async ({ parts, options }: { parts: string | undefined; options: object }) => {
    const { axe } = window as unknown as { axe: Axe };
    const { violations } = await axe.run(parts ?? document, options);
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  };
  return page.evaluate(run, { parts, options });
}

export function widthOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth);
}

/** The numbers of a step's cells, row by row. */
export function cells(page: Page, step: string): Promise<string[]> {
  return page
    .locator(`#step-${step} .cell`)
    .evaluateAll((all) =>
      all.map((cell) => cell.querySelector("input")?.value ?? cell.firstChild?.textContent ?? ""),
    );
}
