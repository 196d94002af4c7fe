/** Visits of the playground by Debian's chromium, and actions on the page. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { BrowserContext, Page, Request } from "playwright-core";
import { expect } from "vitest";
import { useBrowser } from "../support/chromium.ts";
import type { Service } from "../support/service.ts";

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
  readonly javaScriptEnabled?: boolean;
  readonly permissions?: string[];
}

export type Visit = (
  work: (page: Page) => Promise<void>,
  options?: VisitOptions,
  url?: string,
) => Promise<void>;

/** For a visit that changes what outlasts a page: routes, scripts, media, the size, permissions, the network. */
export const OWN_CONTEXT: VisitOptions = {};

interface Tab {
  readonly context: BrowserContext;
  readonly page: Page;
}

/**
 * Opens the page, works with it, and makes sure that nothing failed and that no request left the server. Visits without
 * options share one tab, because a new one takes three times as long as to load the page. Without `start` the work
 * begins in an empty tab.
 */
export function useVisits(service: () => Service, start: string | null = START): Visit {
  const browser = useBrowser();
  let shared: Tab | undefined;

  async function openTab(options?: VisitOptions): Promise<Tab> {
    const context = await browser().newContext(options);
    return { context, page: await context.newPage() };
  }

  async function visit(page: Page, url: string, work: (page: Page) => Promise<void>): Promise<void> {
    const faults: string[] = [];
    const onError = (error: Error): void => void faults.push(error.message);
    const onRequest = (request: Request): void => {
      if (!request.url().startsWith(url) && !request.url().startsWith("data:")) faults.push(request.url());
    };
    page.on("pageerror", onError).on("request", onRequest);
    if (start !== null) {
      await page.goto(`${url}/${start}`);
      await page.waitForSelector("#step-input");
    }
    await work(page);
    expect(faults).toEqual([]);
    page.off("pageerror", onError).off("request", onRequest);
  }

  return async (work, options, url = service().url) => {
    const isOwn = options !== undefined;
    const tab = isOwn ? await openTab(options) : (shared ?? forbidLasting(await openTab()));
    try {
      await visit(tab.page, url, work);
      if (isOwn) await tab.context.close();
      else shared = await cleared(tab, url);
    } catch (error) {
      // After a failure the next visit gets a tab that is new.
      if (!isOwn) shared = undefined;
      await tab.context.close();
      throw error;
    }
  };
}

/** Leaves the page, and takes away what it has stored and where the pointer is. */
async function cleared(tab: Tab, url: string): Promise<Tab> {
  await tab.page.goto("about:blank");
  await tab.page.mouse.move(0, 0);
  const session = await tab.context.newCDPSession(tab.page);
  await session.send("Storage.clearDataForOrigin", { origin: url, storageTypes: "all" });
  await session.detach();
  return tab;
}

/** Makes a shared tab reject what the next visit would find. */
function forbidLasting(tab: Tab): Tab {
  const forbid = (owner: object, names: readonly string[]): void => {
    for (const name of names) {
      const value = (): never => {
        throw new Error(`${name} outlasts a visit: give it OWN_CONTEXT`);
      };
      Object.defineProperty(owner, name, { value });
    }
  };
  forbid(tab.page, ["addInitScript", "emulateMedia", "route", "setViewportSize"]);
  forbid(tab.context, ["addInitScript", "grantPermissions", "route", "setOffline"]);
  return tab;
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
export async function violationsOf(
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
