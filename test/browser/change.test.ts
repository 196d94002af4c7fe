/** Changes in the playground, as they are shown and announced. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { fill, useVisits } from "./visit.ts";

const LOSS = "Loss 1.285.";

describe.skipIf(!HAS_CHROMIUM)("a change in the playground", () => {
  const visit = useVisits(useService());

  /** Holds a result once nothing has been typed or said for a second. */
  const spoken = (page: Page): Promise<string | null> => page.textContent("#spoken");
  const explained = (page: Page): Promise<string | null> => page.textContent("#explanation");

  /** Records the announcements from now on. */
  async function listen(page: Page): Promise<() => Promise<string[]>> {
    await page.locator("#spoken").evaluate((line) => {
      const heard: string[] = [];
      Object.assign(window, { heard });
      new MutationObserver(() => {
        if (line.textContent !== "") heard.push(line.textContent);
      }).observe(line, { childList: true, characterData: true, subtree: true });
    });
    return () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  }

  it("is said also where it is refused, and an older result is not said behind it", () =>
    visit(async (page) => {
      await expect.poll(() => spoken(page)).toBe(LOSS);
      const heard = await listen(page);
      await fill(page, "#target", "[1, 0, 3]");
      expect(await page.textContent("#loss")).not.toBe("1.285");
      await fill(page, "#target", "[1, 0, 33]");
      await expect.poll(() => spoken(page)).toMatch(/^target\[2\]: Target 33 is out/);
      expect(await heard()).toHaveLength(1);
    }));

  it("is said again where the sentence is the same", () =>
    visit(async (page) => {
      await expect.poll(() => spoken(page)).toBe(LOSS);
      const heard = await listen(page);
      await page.selectOption("#reduction", "mean");
      await expect.poll(heard).toEqual([LOSS]);
    }));

  it("says that it has switched return_grad off", () =>
    visit(async (page) => {
      await expect.poll(() => spoken(page)).toBe(LOSS);
      const heard = await listen(page);
      await page.selectOption("#reduction", "none");
      await expect
        .poll(heard)
        .toEqual(["return_grad was switched off: it needs a grad_output. cross_entropy of 3 × 5."]);
    }));

  it("to a number that the server takes is not exposed as invalid", () =>
    visit(async (page) => {
      for (const value of ["0.12", "-1"]) {
        await page.fill("#label_smoothing", value);
        expect(await page.locator("#label_smoothing:invalid").count(), value).toBe(0);
      }
      expect(await page.textContent("#problem")).toBe("");
    }));

  it("of the class names leaves each at its class, also beside an empty one", () =>
    visit(async (page) => {
      await page.fill("#class_names", "cat,,bird");
      const heads = await page.locator("#step-softmax th[scope=col]").allTextContents();
      expect(heads).toEqual(["cat", "class 1", "bird", "class 3", "class 4", "sum"]);
    }));

  it("keeps the focus at its sum", () =>
    visit(async (page) => {
      await page.locator("#step-softmax .sum").nth(2).focus();
      await page.locator("#label_smoothing").evaluate((control: HTMLInputElement) => {
        control.value = "0.1";
        control.dispatchEvent(new Event("input", { bubbles: true }));
      });
      expect(await page.textContent("#loss")).not.toBe("1.285");
      expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.sum)).toBe("2");
    }));

  it("of the focus or the pointer changes the explanation, which can be pointed at and is no stop of its own", () =>
    visit(
      async (page) => {
        const bar = page.getByRole("region", { name: "Explanation" });
        await page.locator("#step-softmax .cell").nth(1).hover();
        await expect.poll(() => explained(page)).toMatch(/^softmax\[0, 1\]/);
        expect(await bar.getAttribute("tabindex")).toBe("-1");
        await bar.hover();
        expect(await explained(page)).toMatch(/^\w+\[/);
        await page.locator("#steps-title").hover();
        await expect.poll(() => explained(page)).toBe("");
        await page.locator("#step-softmax .cell").nth(7).focus();
        await page.locator("#step-softmax .cell").nth(8).hover();
        await expect.poll(() => explained(page)).toMatch(/^softmax\[1, 3\]/);
        await page.locator("#steps-title").hover();
        await expect.poll(() => explained(page)).toMatch(/^softmax\[1, 2\]/);
        await page.locator("#copy").focus();
        expect(await explained(page)).toBe("");
      },
      { viewport: { width: 1280, height: 800 } },
    ));
});
