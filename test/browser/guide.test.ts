/** The guide in chromium. Skipped without chromium. */
import { existsSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { useService } from "../support/service.ts";
import { CHROMIUM, useVisits } from "./visit.ts";

describe.skipIf(!existsSync(CHROMIUM))("the guide in chromium", () => {
  const service = useService();
  const visit = useVisits(service);
  const open = (page: Page, name: string) => page.goto(`${service().url}/guide/${name}`);

  it("names what scrolls by the heading above it", () =>
    visit(async (page) => {
      await open(page, "problems");
      for (const part of await page.locator("main [tabindex='0']").all()) {
        const heading = await part.evaluate((one) => {
          let before: Element | null = one;
          while (before !== null && !/^H\d$/.test(before.tagName)) before = before.previousElementSibling;
          return before?.textContent;
        });
        expect(await part.getAttribute("aria-label")).toMatch(/^(?:Code|Table): ./);
        expect((await part.getAttribute("aria-label"))!.split(": ").slice(1).join(": ")).toBe(heading);
      }
    }));

  it("leads on from page to page, through all of the list", () =>
    visit(async (page) => {
      await open(page, "");
      const names = await page.locator(".pages a").allTextContents();
      expect(await page.locator("a[rel=prev]").count()).toBe(0);
      for (const name of names.slice(1)) {
        await page.click("a[rel=next]");
        await expect.poll(() => page.textContent(".pages [aria-current]")).toBe(name);
      }
      expect(await page.locator("a[rel=next]").count()).toBe(0);
      await page.click("a[rel=prev]");
      await expect.poll(() => page.textContent(".pages [aria-current]")).toBe(names.at(-2));
    }));

  it("shows the list beside the text where there is room, and else where it is asked for", () =>
    visit(async (page) => {
      await open(page, "start");
      const link = page.getByRole("navigation", { name: "Guide" }).getByRole("link").first();
      expect(await link.isVisible()).toBe(true);
      await page.setViewportSize({ width: 360, height: 640 });
      expect(await link.isVisible()).toBe(false);
      await page.getByText("All pages", { exact: true }).first().click();
      expect(await link.isVisible()).toBe(true);
    }));

  it("prints the text alone, whole, and dark on light", () =>
    visit(
      async (page) => {
        await open(page, "start");
        await page.emulateMedia({ media: "print" });
        for (const part of await page.locator("nav").all()) expect(await part.isVisible()).toBe(false);
        for (const block of await page.locator("pre").all())
          expect(await block.evaluate((one) => [one.scrollWidth, one.scrollHeight])).toEqual(
            await block.evaluate((one) => [one.clientWidth, one.clientHeight]),
          );
        const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
        expect(await scheme()).toBe("light");
      },
      { colorScheme: "dark" },
    ));
});
