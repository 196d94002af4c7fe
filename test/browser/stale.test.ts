/** The playground while its results are not those of the form. Skipped without chromium. */
import type { Locator, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, fill, useVisits, violationsOf } from "./visit.ts";

const BUTTONS = ["train-1", "train-10", "train-100", "train-reset"];

describe.skipIf(!HAS_CHROMIUM)("results that are not up to date", () => {
  const visit = useVisits(useService());

  const score = (page: Page, index: number): Locator => page.locator("#step-input .score").nth(index);
  const lockedScores = (page: Page): Promise<number> => page.locator(".score[readonly]").count();
  const disabledButtons = (page: Page): Promise<string[]> =>
    page.locator("#training button:disabled").evaluateAll((all) => all.map(({ id }) => id));

  it.each([
    ["a typo", "#input", "1 2 x"],
    ["a refused number", "#target", "1 7 4"],
    ["an option that is not valid", "#weight", "1 2"],
  ])("let neither the cells nor the training write over the form, after %s", (_name, field, text) =>
    visit(async (page) => {
      await page.click("#train-1");
      const before = await cells(page, "input");
      await fill(page, field, text);
      const typed = await page.inputValue("#input");
      expect(await lockedScores(page)).toBe(15);
      expect(await disabledButtons(page)).toEqual(BUTTONS);
      await score(page, 1).focus();
      for (const key of ["ArrowUp", "PageDown", "7"]) await page.keyboard.press(key);
      const box = (await score(page, 1).boundingBox())!;
      await page.mouse.move(box.x + 20, box.y + 10);
      await page.mouse.down();
      await page.mouse.move(box.x + 60, box.y + 10, { steps: 3 });
      await page.mouse.up();
      // The curve of another score is drawn beside the buttons.
      await page.locator("[data-cell='gradient:2,3']").focus();
      expect(await disabledButtons(page)).toEqual(BUTTONS);
      expect(await page.inputValue("#input")).toBe(typed);
      expect(await page.inputValue(field)).toBe(text);
      expect(await cells(page, "input")).toEqual(before);
      expect(await page.textContent("#problem")).not.toBe("");
    }),
  );

  it("unlock with the next results", () =>
    visit(async (page) => {
      await fill(page, "#target", "1 7 4");
      await fill(page, "#target", "1 0 4");
      expect(await lockedScores(page)).toBe(0);
      expect(await disabledButtons(page)).toEqual(["train-reset"]);
      await page.click("#train-1");
      expect(await page.textContent("#steps-sentence")).toMatch(/^1 step/);
    }));

  it("leave the cell open whose own text is not valid", () =>
    visit(async (page) => {
      await score(page, 2).focus();
      await page.keyboard.type("1,5x");
      expect(await lockedScores(page)).toBe(14);
      expect(await disabledButtons(page)).toEqual(BUTTONS);
      await page.keyboard.press("Control+a");
      await page.keyboard.type("1.5");
      expect(await lockedScores(page)).toBe(0);
      expect((await cells(page, "input"))[2]).toBe("1.5");
    }));

  it("stop a run of training steps", () =>
    visit(async (page) => {
      await page.click("#train-100");
      // In one task, because a step between two would take part of the text away.
      await page.locator("#input").evaluate((control: HTMLTextAreaElement) => {
        control.value = "1 x";
        control.dispatchEvent(new Event("input", { bubbles: true }));
      });
      await page.waitForTimeout(300);
      expect(await page.inputValue("#input")).toBe("1 x");
      expect(await disabledButtons(page)).toEqual(BUTTONS);
    }));

  it("say so at each cell and button that is locked", () =>
    visit(async (page) => {
      await fill(page, "#input", "1 2 x");
      const described = await page
        .locator(".score, #training button")
        .evaluateAll((all) => all.every((one) => one.getAttribute("aria-describedby") === "problem"));
      expect(described).toBe(true);
      expect(await violationsOf(page)).toEqual([]);
      await fill(page, "#input", "1 2 3 4 5\n1 2 3 4 5\n1 2 3 4 5");
      await expect.poll(() => page.locator("[aria-describedby='problem']").count()).toBe(0);
    }));
});
