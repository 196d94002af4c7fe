/** What the playground's address keeps: skip links, links of old results, and a reload. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, fill, useVisits } from "./visit.ts";

const SOON = { timeout: 20_000 };

describe.skipIf(!HAS_CHROMIUM)("a skip link", () => {
  const service = useService();
  const visit = useVisits(service);

  const focused = (page: Page): Promise<string> => page.evaluate(() => document.activeElement!.id);

  it.each([
    ["To the steps", "steps"],
    ["To the numbers and options", "form"],
  ])("%s moves the focus and the view, and leaves the lesson and its address", (name, id) =>
    visit(async (page) => {
      await fill(page, "#input", "1 2\n3 4");
      await fill(page, "#target", "0 1");
      await expect.poll(() => page.url(), SOON).toContain("input=((1,2),(3,4))");
      const address = page.url();
      const link = page.getByRole("link", { name });
      await link.focus();
      await page.keyboard.press("Enter");
      expect(await focused(page)).toBe(id);
      const top = await page.locator(`#${id}`).evaluate((part) => part.getBoundingClientRect().top);
      expect(top).toBeLessThan(await page.evaluate(() => window.innerHeight));
      expect(page.url()).toBe(address);
      expect(await cells(page, "input")).toEqual(["1", "2", "3", "4"]);
      expect(await page.textContent("#link-problem")).toBe("");
    }),
  );

  it("that was followed before the script ran opens the first example without a complaint", () =>
    visit(async (page) => {
      await page.goto("about:blank");
      await page.goto(`${service().url}/#form`);
      await page.waitForSelector("#step-input");
      expect(await page.textContent("#link-problem")).toBe("");
      expect(await page.textContent("#loss")).toBe("1.676");
    }));

  it("of a page whose script does not hear its click changes no lesson", () =>
    visit(async (page) => {
      await page.evaluate(() => {
        location.hash = "#steps";
      });
      await expect.poll(() => page.url(), SOON).toMatch(/#example=rows&v=1$/);
      expect(await page.textContent("#loss")).toBe("1.285");
      expect(await page.textContent("#link-problem")).toBe("");
    }));
});
