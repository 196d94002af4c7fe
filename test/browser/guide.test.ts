/** The guide in chromium. Skipped without chromium. */
import type { Page, Route } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { OWN_CONTEXT, useVisits, violationsOf, widthOf } from "./visit.ts";

/** Milliseconds for a visit of every page. */
const TOUR_MS = 90_000;

describe.skipIf(!HAS_CHROMIUM)("the guide in chromium", () => {
  const service = useService();
  const visit = useVisits(service, null);
  const open = (page: Page, name: string) => page.goto(`${service().url}/guide/${name}`);

  it("names what scrolls by the heading above it", () =>
    visit(async (page) => {
      await open(page, "problems");
      for (const part of await page.locator("main [tabindex='0']").all()) {
        const heading = await part.evaluate((one) => {
          let before: Element | null = one.closest(".code") ?? one;
          while (before !== null && !/^H\d$/.test(before.tagName)) before = before.previousElementSibling;
          return before?.textContent;
        });
        expect(await part.getAttribute("aria-label")).toMatch(/^(?:Code|Table): ./);
        expect((await part.getAttribute("aria-label"))!.split(": ").slice(1).join(": ")).toBe(heading);
      }
    }));

  it(
    "leads on from page to page, through all of the list",
    () =>
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
      }),
    TOUR_MS,
  );

  it("shows the list beside the text where there is room, and else where it is asked for", () =>
    visit(async (page) => {
      await open(page, "start");
      const link = page.getByRole("navigation", { name: "Guide" }).getByRole("link").first();
      expect(await link.isVisible()).toBe(true);
      await page.setViewportSize({ width: 360, height: 640 });
      expect(await link.isVisible()).toBe(false);
      await page.getByText("All pages", { exact: true }).first().click();
      expect(await link.isVisible()).toBe(true);
    }, OWN_CONTEXT));

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
        await open(page, "formats");
        const overflowOf = (table: Element) => getComputedStyle(table).overflowX;
        expect(await page.locator(".wide").first().evaluate(overflowOf)).toBe("visible");
      },
      { colorScheme: "dark" },
    ));

  it.each(["light", "dark"] as const)(
    "has no fault that axe finds, %s, with and without results",
    (colorScheme) =>
      visit(
        async (page) => {
          await open(page, "sdk-python");
          expect(await violationsOf(page)).toEqual([]);
          await search(page, "gradient");
          expect(await violationsOf(page)).toEqual([]);
        },
        { colorScheme },
      ),
  );

  it(
    "is as wide as a phone of 390 px on every page, also with results",
    () =>
      visit(
        async (page) => {
          await open(page, "");
          const links = await page
            .locator(".pages a")
            .evaluateAll((all) => all.map((one) => one.getAttribute("href")!));
          expect(links.length).toBeGreaterThan(20);
          for (const name of links) {
            await open(page, name);
            expect(await widthOf(page), name).toBe(390);
          }
          await search(page, "gradient");
          expect(await widthOf(page)).toBe(390);
        },
        { viewport: { width: 390, height: 844 } },
      ),
    TOUR_MS,
  );

  it("finds sections of all pages with the keyboard alone", () =>
    visit(async (page) => {
      await open(page, "recipes");
      const field = page.getByRole("searchbox");
      await page.keyboard.press("Control+k");
      await page.keyboard.type("body limit");
      const first = page.locator(".search li a").first();
      await expect.poll(() => first.textContent()).toMatch(/^Settings: Limits/);
      expect(await page.textContent(".search output")).toMatch(/^\d+ results$/);
      expect(await first.locator("mark").first().textContent()).toMatch(/^body$/i);
      await page.keyboard.press("ArrowDown");
      expect(await first.evaluate((link) => link === document.activeElement)).toBe(true);
      await page.keyboard.press("Enter");
      await expect.poll(() => page.url()).toBe(`${service().url}/guide/settings#limits`);
      expect(await page.locator("#limits").isVisible()).toBe(true);

      await page.keyboard.press("Control+k");
      await page.keyboard.type("grad_ouput");
      // A typo finds the word.
      await expect.poll(() => page.locator(".search li").count()).toBeGreaterThan(0);
      // An input method has these keys while it composes a word.
      for (const key of ["ArrowDown", "Escape"]) {
        const composing = { key, isComposing: true, bubbles: true, cancelable: true };
        await field.dispatchEvent("keydown", composing);
      }
      expect(await field.evaluate((one) => one === document.activeElement)).toBe(true);
      expect(await field.inputValue()).toBe("grad_ouput");
      await page.keyboard.press("Escape");
      expect(await field.inputValue()).toBe("");
      expect(await page.locator(".search li").count()).toBe(0);
      await page.keyboard.type("zzzz");
      await expect.poll(() => page.textContent(".search output")).toBe("No results");
    }));

  it("shows results while the focus or the pointer is in the search, because they cover the text", () =>
    visit(async (page) => {
      await open(page, "recipes");
      const results = page.getByRole("list", { name: "Results" });
      await search(page, "gradient");
      for (let k = await results.getByRole("link").count(); k > 0; k--) await page.keyboard.press("Tab");
      expect(await results.isVisible()).toBe(true);
      await page.keyboard.press("Tab");
      expect(await results.isVisible()).toBe(false);
      await page.getByRole("searchbox").focus();
      expect(await results.isVisible()).toBe(true);
      await page.mouse.click(1, 1);
      expect(await results.isVisible()).toBe(false);
    }));

  it(
    "finds every page by its title",
    () =>
      visit(async (page) => {
        await open(page, "");
        for (const title of await page.locator(".pages a").allTextContents()) {
          await search(page, title);
          await expect.poll(() => page.locator(".search li strong").allTextContents()).toContain(title);
        }
      }),
    TOUR_MS,
  );

  it.each([404, undefined])(
    "says that the search cannot be loaded (status %s), and loads it again",
    (status) =>
      visit(async (page) => {
        const fail = (route: Route): Promise<void> =>
          status === undefined ? route.abort() : route.fulfill({ status, body: "{}" });
        await page.route("**/search.json", fail);
        await open(page, "recipes");
        const found = () => page.textContent(".search output");
        await page.getByRole("searchbox").fill("gradient");
        await expect.poll(found).toBe("The search cannot be loaded.");
        await page.unroute("**/search.json", fail);
        await page.getByRole("searchbox").fill("gradients");
        await expect.poll(found).toMatch(/^\d+ results$/);
      }, OWN_CONTEXT),
  );

  it("copies a block of code by its button", () =>
    visit(async (page) => {
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await open(page, "start");
      const block = page.locator(".code", { hasText: "npm ci && npm start" });
      await block.getByRole("button").click();
      await expect.poll(() => block.getByRole("button").textContent()).toBe("Copied");
      expect(await page.getByRole("status").last().textContent()).toBe("Copied");
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("npm ci && npm start\n");
    }, OWN_CONTEXT));

  it("selects the text where the browser does not allow copying", () =>
    visit(async (page) => {
      await open(page, "start");
      await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
      await page.locator(".code", { hasText: "npm ci && npm start" }).getByRole("button").click();
      expect(await page.evaluate(() => getSelection()?.toString().trim())).toBe("npm ci && npm start");
    }));

  it("highlights code in colors that differ by theme", () =>
    visit(async (page) => {
      await open(page, "sdk-go");
      const color = () =>
        page
          .locator(".hljs-keyword")
          .first()
          .evaluate((one) => getComputedStyle(one).color);
      await page.selectOption("#theme", "light");
      const light = await color();
      await page.selectOption("#theme", "dark");
      expect(await color()).not.toBe(light);
    }));

  it("remembers the theme on all pages, and follows the system otherwise", () =>
    visit(
      async (page) => {
        const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
        await open(page, "start");
        expect(await scheme()).toBe("light dark");
        await page.selectOption("#theme", { label: "Light" });
        await open(page, "recipes");
        expect(await scheme()).toBe("light");
        expect(await page.inputValue("#theme")).toBe("light");
        await page.selectOption("#theme", { label: "System" });
        await page.reload();
        expect(await scheme()).toBe("light dark");
      },
      { colorScheme: "dark" },
    ));

  it("shows the choice of a theme that was made since, after going back and in another tab", () =>
    visit(async (page) => {
      const choice = () =>
        page.evaluate(() => [
          document.documentElement.dataset.theme,
          document.querySelector<HTMLSelectElement>("#theme")!.value,
        ]);
      await open(page, "start");
      await page.selectOption("#theme", "dark");
      await open(page, "recipes");
      await page.selectOption("#theme", "light");
      await page.goBack();
      await expect.poll(choice).toEqual(["light", "light"]);
      const other = await page.context().newPage();
      await open(other, "recipes");
      await other.selectOption("#theme", "dark");
      await expect.poll(choice).toEqual(["dark", "dark"]);
      await other.close();
    }));

  it("leaves keys alone to the browser and to dictation (WCAG 2.1.4)", () =>
    visit(async (page) => {
      await open(page, "recipes");
      const isFocused = () => page.getByRole("searchbox").evaluate((one) => one === document.activeElement);
      for (const key of ["/", "k", "Shift+K", "Alt+k", "Control+Alt+k"]) {
        await page.keyboard.press(key);
        expect(await isFocused(), key).toBe(false);
      }
      for (const key of ["Control+k", "Meta+k"]) {
        await page.keyboard.press(key);
        expect(await isFocused(), key).toBe(true);
        await page.getByRole("searchbox").blur();
      }
    }));

  it("has a name for each column but the first of every table", () =>
    visit(async (page) => {
      await open(page, "");
      const links = page.locator(".pages a");
      const names = await links.evaluateAll((all) => all.map((one) => one.getAttribute("href")!));
      for (const name of names) {
        await open(page, name);
        expect(await page.locator("main thead td:not(:first-child)").count(), name).toBe(0);
      }
    }));

  it("has a name for each row of a table whose corner is empty", () =>
    visit(async (page) => {
      await open(page, "losses");
      expect(await page.getByRole("rowheader", { name: "picture 0" }).count()).toBeGreaterThan(1);
      expect(await violationsOf(page, "main", { runOnly: ["td-has-header"] })).toEqual([]);
    }));

  it("links every heading to itself", () =>
    visit(async (page) => {
      await open(page, "performance");
      await page.getByRole("link", { name: "Many replicas" }).click();
      expect(page.url()).toBe(`${service().url}/guide/performance#many-replicas`);
      for (const heading of await page.locator("main :is(h2, h3)").all())
        expect(await heading.locator("a").getAttribute("href")).toBe(`#${await heading.getAttribute("id")}`);
    }));
});

async function search(page: Page, query: string): Promise<void> {
  await page.getByRole("searchbox").fill(query);
  await expect.poll(() => page.textContent(".search output")).toMatch(/results?$/);
}
