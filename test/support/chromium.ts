/** Debian's chromium, driven through playwright-core. */
import { existsSync } from "node:fs";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

/** The shell is first, because the tests take two thirds of the time in it. Undefined if none is installed. */
const CHROMIUM = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync);

export const HAS_CHROMIUM = CHROMIUM !== undefined;

/** Launches chromium, if it is installed, before the tests of a file. Returns a function that returns the browser. */
export function useBrowser(): () => Browser {
  let browser: Browser;
  beforeAll(async () => {
    if (CHROMIUM === undefined) return;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  }, 60_000);
  afterAll(() => browser?.close());
  return () => browser;
}
