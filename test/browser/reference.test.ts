/** The reference in chromium. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { OWN_CONTEXT, useVisits, violationsOf, widthOf } from "./visit.ts";

/** One of each part that the page repeats, because axe takes half a minute for all of it. */
const PARTS =
  "header, .info, .scheme-container, #operations-lossd-crossEntropy, #operations-lossd-healthLive, .json-schema-2020-12:first-of-type";

/** Milliseconds for so large a page, beside other tests. */
const LARGE_PAGE_MS = 90_000;

describe.skipIf(!HAS_CHROMIUM)("the reference in chromium", () => {
  const service = useService();
  const visit = useVisits(service, null);

  /** Opens the reference at cross_entropy. */
  async function open(page: Page): Promise<void> {
    await page.goto(`${service().url}/docs/#/lossd/crossEntropy`);
    await page.waitForSelector(".responses-table");
  }

  /** Opens the reference with all operations closed. */
  async function openClosed(page: Page): Promise<void> {
    await page.goto(`${service().url}/docs/`);
    await page.waitForSelector(".opblock");
  }

  const background = (page: Page) =>
    page.evaluate(() => getComputedStyle(document.querySelector(".swagger-ui")!).backgroundColor);

  // Both themes and both layouts, because the page takes seconds to load.
  it.each([
    ["light", 1280],
    ["dark", 320],
  ] as const)(
    "has text of enough contrast, %s, in a width of %i pixels",
    (colorScheme, width) =>
      visit(
        async (page) => {
          await open(page);
          // The response has parts of its own, such as the button for its download.
          await page.getByRole("button", { name: "Execute" }).first().click();
          await page.locator(".live-responses-table .download-contents").first().waitFor();
          // Swagger UI's other violations, such as selects without a name, are its own.
          expect(await violationsOf(page, PARTS, { runOnly: ["color-contrast"] })).toEqual([]);
          expect(await widthOf(page)).toBe(width);
        },
        { colorScheme, viewport: { width, height: 844 } },
      ),
    LARGE_PAGE_MS,
  );

  it("shows the button that copies a path where the keyboard has reached it", () =>
    visit(async (page) => {
      await openClosed(page);
      const copy = page.locator(".opblock-summary button[aria-label^='Copy path']").first();
      const widthOfCopy = () => copy.evaluate((button) => button.getBoundingClientRect().width);
      expect(await widthOfCopy()).toBe(0);
      await page.locator(".opblock-summary-path a").first().focus();
      await page.keyboard.press("Tab");
      expect(await copy.evaluate((button) => button === document.activeElement)).toBe(true);
      await expect.poll(widthOfCopy).toBe(24);
    }));

  it("follows the system's theme, and the choice made on any page", () =>
    visit(
      async (page) => {
        await openClosed(page);
        const dark = await background(page);
        await page.selectOption("#theme", { label: "Light" });
        await expect.poll(() => background(page)).not.toBe(dark);
        await page.goto(`${service().url}/guide/start`);
        expect(await page.inputValue("#theme")).toBe("light");
        await openClosed(page);
        await page.selectOption("#theme", { label: "System" });
        await expect.poll(() => background(page)).toBe(dark);
        await page.emulateMedia({ colorScheme: "light" });
        await expect.poll(() => background(page)).not.toBe(dark);
      },
      { colorScheme: "dark" },
    ));

  it("prints dark on light", () =>
    visit(
      async (page) => {
        await openClosed(page);
        const dark = await background(page);
        await page.emulateMedia({ media: "print" });
        await expect.poll(() => background(page)).not.toBe(dark);
        expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe(
          "light",
        );
      },
      { colorScheme: "dark" },
    ));

  it("says that it needs JavaScript where there is none", () =>
    visit(
      async (page) => {
        await page.goto(`${service().url}/docs/`);
        await expect.poll(() => page.textContent("body")).toContain("needs JavaScript");
      },
      { javaScriptEnabled: false },
    ));

  it(
    "executes the operations with the examples that it shows",
    () =>
      visit(async (page) => {
        await openClosed(page);
        // One page for all, because it takes longer to load than to execute them.
        for (const operation of ["logSoftmax", "nllLoss", "crossEntropy", "klDiv"]) {
          const block = page.locator(`[id$="-${operation}"]`);
          await block.locator(".opblock-summary-control").click();
          await block.getByRole("button", { name: "Execute" }).click();
          const status = block.locator(".live-responses-table tbody .response-col_status");
          await expect.poll(() => status.textContent()).toMatch(/^200/);
          await block.locator(".opblock-summary-control").click();
        }
      }),
    LARGE_PAGE_MS,
  );

  it("executes an operation below a proxy's path", () =>
    visit(async (page) => {
      await page.route("**/loss/**", async (route) => {
        const url = route.request().url().replace("/loss/", "/");
        await route.fulfill({ response: await route.fetch({ url }) });
      });
      await page.goto(`${service().url}/loss/docs/#/lossd/crossEntropy`);
      await page.getByRole("button", { name: "Execute" }).first().click();
      const asked = page.locator(".request-url").first();
      await expect.poll(() => asked.textContent()).toContain(`${service().url}/loss/v1/cross_entropy`);
    }, OWN_CONTEXT));

  it("shows an example of each status of an operation", () =>
    visit(async (page) => {
      await open(page);
      const { paths } = (await service().get("/openapi.json")).json;
      for (const status of Object.keys(paths["/v1/cross_entropy"].post.responses)) {
        const text = await page
          .locator(`.responses-table tr[data-code="${status}"] .example`)
          .first()
          .textContent();
        expect(text, status).toContain(status === "200" ? '"loss": ' : `"status": ${status}`);
      }
    }));
});
