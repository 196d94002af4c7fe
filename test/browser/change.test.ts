/** Changes in the playground, as they are shown and announced. Skipped without chromium. */
import { existsSync } from "node:fs";
import type { Page, Route } from "playwright-core";
import { describe, expect, it } from "vitest";
import { useService } from "../support/service.ts";
import { CHROMIUM, faultsOf, useVisits } from "./visit.ts";

const API = "**/v1/*";
const LOSS = "Loss 1.285.";
/** A result is said once nothing has been typed or said for a second. */
const SOON = { timeout: 5000 };

describe.skipIf(!existsSync(CHROMIUM))("a change in the playground", () => {
  const visit = useVisits(useService());

  const spoken = (page: Page): Promise<string | null> => page.textContent("#spoken");
  const explained = (page: Page): Promise<string | null> => page.textContent("#explanation");
  const place = (page: Page): Promise<string | undefined> => page.evaluate(() => document.activeElement?.id);

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

  /** Holds all requests back until they are let go. */
  async function hold(page: Page): Promise<() => Promise<void>> {
    const held: Route[] = [];
    await page.route(API, (route) => void held.push(route));
    return async () => {
      await page.unroute(API);
      await Promise.all(held.map((route) => route.continue().catch(() => {})));
    };
  }

  it("is said also where it is refused, and an older result is not said behind it", () =>
    visit(async (page) => {
      await expect.poll(() => spoken(page), SOON).toBe(LOSS);
      const heard = await listen(page);
      await page.fill("#target", "[1, 0, 3]");
      await expect.poll(() => page.textContent("#loss")).not.toBe("1.285");
      await page.fill("#target", "[1, 0, 33]");
      await expect
        .poll(() => spoken(page), SOON)
        .toMatch(/^Refused: target_out_of_bounds: .*Target 33 is out/);
      expect(await heard()).toHaveLength(1);
    }));

  it("is said again where the sentence is the same", () =>
    visit(async (page) => {
      await expect.poll(() => spoken(page), SOON).toBe(LOSS);
      const heard = await listen(page);
      await page.selectOption("#reduction", "mean");
      await expect.poll(heard, SOON).toEqual([LOSS]);
    }));

  it("says that it has switched return_grad off", () =>
    visit(async (page) => {
      await expect.poll(() => spoken(page), SOON).toBe(LOSS);
      const heard = await listen(page);
      await page.selectOption("#reduction", "none");
      await expect.poll(heard, SOON).toContain("return_grad was switched off: it needs a grad_output.");
    }));

  it("by another try says so, and how it ended, and keeps the focus", () =>
    visit(async (page) => {
      await page.route(API, (route) => route.fulfill({ status: 502, body: "" }));
      await page.fill("#target", "[0, 0, 0]");
      await page.waitForSelector("#problem:not([hidden])");
      const failure = /^The server does not respond: The response has status 502/;
      await expect.poll(() => spoken(page), SOON).toMatch(failure);
      await page.focus("#retry");
      const heard = await listen(page);
      await page.keyboard.press("Enter");
      await expect.poll(async () => (await heard()).at(-1), SOON).toMatch(failure);
      expect(await place(page)).toBe("retry");
      const letGo = await hold(page);
      await page.keyboard.press("Enter");
      await expect.poll(() => spoken(page), SOON).toBe("Trying again.");
      await page.unroute(API);
      await letGo();
      await page.waitForSelector("#problem", { state: "hidden" });
      expect(await place(page)).toBe("steps");
    }));

  it("shows the new request at once, and marks what is older only when its answer takes long", () =>
    visit(async (page) => {
      await page.waitForSelector("#loss");
      const top = () => page.locator("#steps").evaluate((steps) => steps.getBoundingClientRect().top);
      const before = await top();
      const letGo = await hold(page);
      await page.fill("#target", "[2, 0, 4]");
      await expect.poll(() => page.textContent("#sample")).toContain('"target":[2,0,4]');
      expect(await page.getAttribute("#steps", "aria-busy")).toBe("true");
      await page.waitForSelector("#stale:not([hidden])");
      expect(await page.locator("#stale-answer").isVisible()).toBe(true);
      expect(await page.textContent("#answer")).toContain("1.28");
      expect(await top()).toBe(before);
      expect(await faultsOf(page)).toEqual([]);
      await letGo();
      await page.waitForSelector("#stale", { state: "hidden" });
      expect(await page.locator("#stale-answer").isVisible()).toBe(false);
      expect(await page.getAttribute("#steps", "aria-busy")).toBe("false");
      await page.fill("#input", "1 x");
      await page.waitForSelector("#stale:not([hidden])");
      expect(await page.getAttribute("#steps", "aria-busy")).toBe("false");
      expect(await top()).toBe(before);
    }));

  it("to a number that the server takes is not exposed as invalid", () =>
    visit(async (page) => {
      for (const value of ["0.12", "-1"]) {
        await page.fill("#label_smoothing", value);
        expect(await page.locator("#label_smoothing:invalid").count(), value).toBe(0);
      }
      await page.waitForSelector("#step-gradient");
      expect(await page.locator("#problem").isVisible()).toBe(false);
    }));

  it("keeps the focus at its sum", () =>
    visit(async (page) => {
      await page.locator("#step-softmax .sum").nth(2).focus();
      await page.locator("#label_smoothing").evaluate((control: HTMLInputElement) => {
        control.value = "0.1";
        control.dispatchEvent(new Event("input", { bubbles: true }));
      });
      await expect.poll(() => page.textContent("#loss")).not.toBe("1.285");
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
        await page.locator("#form").hover({ position: { x: 5, y: 5 } });
        await expect.poll(() => explained(page)).toBe("");
        await page.locator("#step-softmax .cell").nth(7).focus();
        await page.locator("#step-softmax .cell").nth(8).hover();
        await expect.poll(() => explained(page)).toMatch(/^softmax\[1, 3\]/);
        await page.locator("#form").hover({ position: { x: 5, y: 5 } });
        await expect.poll(() => explained(page)).toMatch(/^softmax\[1, 2\]/);
        await page.locator("#copy").focus();
        expect(await explained(page)).toBe("");
      },
      { viewport: { width: 1280, height: 800 } },
    ));
});
