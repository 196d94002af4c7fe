/** The undo history of the playground's texts after a change by the page. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { fill, useVisits } from "./visit.ts";

describe.skipIf(!HAS_CHROMIUM)("undoing in a text", () => {
  const visit = useVisits(useService());

  /** Types at the beginning of a text, as a person does. */
  async function typeIn(page: Page, selector: string, text: string): Promise<void> {
    await page.locator(selector).focus();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type(text);
  }

  async function undo(page: Page, selector: string): Promise<string> {
    await page.locator(selector).focus();
    for (let count = 0; count < 3; count++) await page.keyboard.press("Control+z");
    return page.inputValue(selector);
  }

  it.each([
    ["a score that is stepped", (page: Page) => page.locator(".score").nth(1).press("PageUp")],
    ["a training step", (page: Page) => page.click("#train-1")],
    ["another example", (page: Page) => page.selectOption("#example", "cats")],
  ])("takes back nothing of what was typed before %s", (_name, change) =>
    visit(async (page) => {
      await fill(page, "#input", "2 1 0\n1 0 3\n5 7 1");
      await fill(page, "#target", "1 0 2");
      await typeIn(page, "#input", "[0.25 ");
      await page.keyboard.press("Delete");
      await typeIn(page, "#input", "[");
      for (let count = 0; count < 2; count++) await page.keyboard.press("Delete");
      await fill(page, "#input", "3 1 0\n1 0 3\n5 7 1");
      expect(await page.textContent("#problem")).toBe("");
      await change(page);
      const text = await page.inputValue("#input");
      expect(await undo(page, "#input")).toBe(text);
    }),
  );

  it("takes back what was typed after it, and only that", () =>
    visit(async (page) => {
      await typeIn(page, "#input", " ");
      await page.locator(".score").nth(1).press("PageUp");
      const text = await page.inputValue("#input");
      await typeIn(page, "#input", "9");
      expect(await page.inputValue("#input")).toBe(`9${text}`);
      expect(await undo(page, "#input")).toBe(text);
    }));

  it("keeps the size, the scroll position and the descriptions of the text", () =>
    visit(async (page) => {
      await fill(page, "#input", Array.from({ length: 40 }, (_, n) => `${n} 1 2`).join("\n"));
      await fill(page, "#target", Array.from({ length: 40 }, () => 0).join(" "));
      await page.locator("#input").evaluate((text) => {
        text.style.height = "150px";
        text.scrollTop = 200;
      });
      const look = () =>
        page
          .locator("#input")
          .evaluate((text: HTMLTextAreaElement) => [
            text.scrollTop,
            text.offsetHeight,
            text.getAttribute("aria-describedby"),
            document.querySelectorAll("#input").length,
            text.labels.length,
          ]);
      const before = await look();
      await page.locator(".score").nth(1).press("PageUp");
      expect(await look()).toEqual(before);
      await fill(page, "#input", "1 x");
      expect(await page.textContent("#error-input")).toBe("Line 1: x is not a number.");
    }));

  it("keeps the focus and the caret where a training step changes the text that is focused", () =>
    visit(async (page) => {
      await typeIn(page, "#input", " ");
      await page.locator("#input").press("ArrowRight");
      // The button is locked until the text is read, which is a task of its own, and a click on it would take the focus.
      await expect.poll(() => page.isEnabled("#train-1")).toBe(true);
      await page.locator("#train-1").evaluate((button: HTMLElement) => button.click());
      expect(await page.textContent("#steps-sentence")).toMatch(/^1 step/);
      const caret = await page.evaluate(() => {
        const { id, selectionStart } = document.activeElement as HTMLTextAreaElement;
        return [id, selectionStart];
      });
      expect(caret).toEqual(["input", 2]);
    }));
});
