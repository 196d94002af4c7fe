/** The playground and the guide without faults that axe finds, and without sideways scrolling. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import type { VisitOptions } from "./visit.ts";
import { choose, fill, OWN_CONTEXT, useVisits, violationsOf, widthOf } from "./visit.ts";

const GUIDE_PAGES = ["", "start", "losses", "sdk", "sdk-java", "options"];

describe.skipIf(!HAS_CHROMIUM)("in chromium", () => {
  const service = useService();
  const visit = useVisits(service);
  const visitEmpty = useVisits(service, null);

  /** Shows each lesson as it begins and with the formula of a focused cell, a typo, and pages of the guide. */
  const showAll = (
    check: (page: Page, title: string, parts?: string) => Promise<void>,
    options: VisitOptions,
  ) =>
    visit(async (page) => {
      for (const { title } of EXAMPLES) {
        await choose(page, title);
        await check(page, title);
        // A focused cell fades the others, and explains itself among them.
        await page.locator("#step-gradient .cell").first().focus();
        await check(page, `${title}, focused`, "#steps, #explanation");
      }
      await fill(page, "#input", "1 x");
      await page.click("#ask button");
      await check(page, "a typo");
      for (const name of GUIDE_PAGES) {
        await page.goto(`${service().url}/guide/${name}`);
        await check(page, `the guide's page ${name}`);
      }
    }, options);

  // Both themes and both layouts, because axe takes ten seconds for each pair.
  it.each([
    ["light", 1280],
    ["dark", 390],
  ] as const)(
    "axe finds no fault in %s, %i pixels wide",
    (colorScheme, width) =>
      showAll(async (page, title, parts) => expect(await violationsOf(page, parts), title).toEqual([]), {
        colorScheme,
        viewport: { width, height: 800 },
      }),
    120_000,
  );

  it.each([
    ["one word", "Longclassnamewithoutanyblank".repeat(8)],
    ["short words", "a long class name ".repeat(12)],
    ["wide characters", "長い名前".repeat(40)],
  ])("a long class name of %s fits into 320 pixels, and into the titles of the curves", (_kind, name) =>
    visit(
      async (page) => {
        await fill(page, "#class_names", `cat, ${name}, dog, ${name}, ${name}`);
        await page.locator("#step-input .score").nth(1).focus();
        await expect.poll(() => page.textContent("#score-title")).toContain(name.trim());
        expect(await widthOf(page)).toBeLessThanOrEqual(320);
        const ends = await page.locator("#score-curve").evaluate((curve) =>
          [...curve.querySelectorAll("text, div")].map((text) => {
            const [outer, inner] = [curve, text].map((one) => one.getBoundingClientRect());
            return Math.min(inner!.left - outer!.left, outer!.right - inner!.right);
          }),
        );
        expect(Math.min(...ends)).toBeGreaterThanOrEqual(0);
      },
      { viewport: { width: 320, height: 800 } },
    ),
  );

  it.each([360, 390, 1280])(
    "nothing scrolls sideways in %i pixels",
    (width) =>
      showAll(async (page, title) => expect(await widthOf(page), title).toBeLessThanOrEqual(width), {
        viewport: { width, height: 800 },
      }),
    60_000,
  );

  it("prints whole tables in their colors", () =>
    visit(async (page) => {
      await page.emulateMedia({ media: "print" });
      const styles = await page
        .locator(".scroll, .cell")
        .evaluateAll((all) =>
          all.map((one) => [
            one.className,
            getComputedStyle(one).overflowX,
            getComputedStyle(one).printColorAdjust,
          ]),
        );
      for (const [name, overflow, colors] of styles)
        if (name === "scroll") expect(overflow).toBe("visible");
        else expect(colors).toBe("exact");
      expect(styles.length).toBeGreaterThan(20);
    }, OWN_CONTEXT));

  it("grows with the font size of the browser, and draws the titles of the curves whole", () =>
    visit(async (page) => {
      await page.evaluate(() => {
        document.documentElement.style.fontSize = "32px";
      });
      expect(await page.evaluate(() => getComputedStyle(document.body).fontSize)).toBe("32px");
      const bottoms = await page
        .locator("#score-curve :is(.curve, .axis-title)")
        .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().bottom));
      expect(bottoms[1]).toBeLessThanOrEqual(bottoms[0]!);
    }));

  it("draws the curves in the colors that the user forces, whatever the theme", () =>
    visit(
      async (page) => {
        await page.selectOption("#theme", "light");
        const colors = await page.locator("#score-curve .curve").evaluate((curve) => {
          const probe = document.body.appendChild(document.createElement("i"));
          const resolved = (color: string): string => {
            probe.style.color = color;
            return getComputedStyle(probe).color;
          };
          const styleOf = (selector: string) => getComputedStyle(curve.querySelector(selector)!);
          return {
            drawn: [getComputedStyle(curve).backgroundColor, styleOf(".line").stroke, styleOf(".mark").fill],
            forced: [resolved("Canvas"), resolved("CanvasText"), resolved("Highlight")],
          };
        });
        expect(colors.drawn).toEqual(colors.forced);
      },
      { forcedColors: "active", colorScheme: "dark" },
    ));

  it("says that it needs JavaScript where there is none", () =>
    visitEmpty(
      async (page) => {
        await page.goto(service().url);
        await expect.poll(() => page.textContent("main")).toContain("needs JavaScript");
        expect(await page.locator("#loading").isVisible()).toBe(false);
      },
      { javaScriptEnabled: false },
    ));
});
