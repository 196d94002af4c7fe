/** Scores that are edited in their cells, and cells that are lit. Skipped without chromium. */
import type { Locator, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, fill, sampleOf, useVisits } from "./visit.ts";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe.skipIf(!HAS_CHROMIUM)("a score in its cell", () => {
  const service = useService();
  const visit = useVisits(service);

  const score = (page: Page, index: number): Locator => page.locator("#step-input .score").nth(index);
  const inputOf = async (page: Page): Promise<number[][]> => (await sampleOf(page)).input as number[][];

  /** Whether the picture has the server's numbers for the request that it shows. */
  async function expectCurrent(page: Page): Promise<void> {
    const { json } = await service().post("/v1/cross_entropy", await sampleOf(page));
    expect(Number(await page.textContent("#loss"))).toBeCloseTo(json.loss, 3);
    const shown = (await cells(page, "gradient")).map((text) => Number(text.replace("−", "-")));
    for (const [index, slope] of json.grad_input.flat().entries()) expect(shown[index]).toBeCloseTo(slope, 4);
  }

  async function drag(page: Page, index: number, x: number, y: number): Promise<void> {
    const box = (await score(page, index).boundingBox())!;
    const [left, top] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(left, top);
    await page.mouse.down();
    for (let step = 1; step <= 10; step++)
      await page.mouse.move(left + (x * step) / 10, top + (y * step) / 10);
    await page.mouse.up();
  }

  it.each([
    ["right", 40, 0, 3],
    ["left", -40, 0, -1],
    ["up", 0, -40, 3],
    ["down", 0, 40, -1],
    ["up and right", 20, -20, 3],
  ])("changes by a drag to the %s, and everything follows", (_name, x, y, value) =>
    visit(async (page) => {
      await drag(page, 1, x, y);
      expect((await inputOf(page))[0]).toEqual([2, value, 0, -1, 0.5]);
      expect(await score(page, 1).inputValue()).toBe(String(value).replace("-", "−"));
      await expectCurrent(page);
      expect(await page.evaluate(() => document.activeElement?.ariaLabel)).toBe("row 0 class 1");
    }),
  );

  it("is redrawn during the drag, within a frame of each move", () =>
    visit(async (page) => {
      const box = (await score(page, 0).boundingBox())!;
      await page.mouse.move(box.x + 20, box.y + 10);
      await page.mouse.down();
      const losses: string[] = [];
      for (const x of [20, 40, 60]) {
        await page.mouse.move(box.x + 20 + x, box.y + 10);
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
        losses.push((await page.textContent("#loss"))!);
      }
      await page.mouse.up();
      expect(new Set(losses).size).toBe(3);
      expect((await inputOf(page))[0]![0]).toBe(5);
    }));

  it("takes a short click as no drag, and then a typed number", () =>
    visit(async (page) => {
      await score(page, 1).click();
      expect((await inputOf(page))[0]).toEqual([2, 1, 0, -1, 0.5]);
      await page.keyboard.type("-2.5e-1");
      expect((await inputOf(page))[0]).toEqual([2, -0.25, 0, -1, 0.5]);
      await expectCurrent(page);
      await page.keyboard.press("Control+a");
      await page.keyboard.type("-inf");
      expect((await sampleOf(page)).input).toEqual([
        [2, "-Infinity", 0, -1, 0.5],
        [0.25, 0.5, -0.5, 1, -1],
        [1, 0.75, -0.25, 0, 2],
      ]);
      expect((await cells(page, "softmax"))[1]).toBe("0");
    }));

  it("is a spinbutton: arrow keys step it by 0.1, with Shift and the page keys by 1", () =>
    visit(async (page) => {
      await score(page, 4).focus();
      const value = async (): Promise<unknown> => (await inputOf(page))[0]![4];
      for (const [key, expected] of [
        ["ArrowUp", 0.6],
        ["ArrowUp", 0.7],
        ["ArrowDown", 0.6],
        ["Shift+ArrowUp", 1.6],
        ["PageUp", 2.6],
        ["PageDown", 1.6],
        ["Shift+ArrowDown", 0.6],
      ] as const) {
        await page.keyboard.press(key);
        expect(await value(), key).toBe(expected);
      }
      // An input method has the key while it composes a number.
      await score(page, 4).dispatchEvent("keydown", { key: "ArrowUp", isComposing: true, bubbles: true });
      expect(await value()).toBe(0.6);
      await expectCurrent(page);
      const spin = page.getByRole("spinbutton", { name: "row 0 class 4" });
      expect(await spin.getAttribute("aria-valuenow")).toBe("0.6");
      expect(await spin.getAttribute("aria-valuetext")).toBe("0.6");
    }));

  it("hands the focus on: to its neighbours from the ends of its text, and to other rows with Control", () =>
    visit(async (page) => {
      const name = () => page.evaluate(() => document.activeElement?.ariaLabel);
      await page.locator("#copy-link").focus();
      for (const [key, expected] of [
        ["Tab", "row 0 class 0"],
        ["ArrowRight", "row 0 class 1"],
        ["Control+ArrowDown", "row 1 class 1"],
        ["ArrowLeft", "row 1 class 0"],
        ["ArrowLeft", "row 0 class 4"],
        ["Control+End", "row 2 class 4"],
        ["Control+Home", "row 0 class 0"],
      ] as const) {
        await page.keyboard.press(key);
        expect(await name(), key).toBe(expected);
      }
      // Within a text, the arrow keys move the caret.
      await page.keyboard.press("ArrowRight");
      await page.keyboard.type("12");
      await page.keyboard.press("ArrowLeft");
      expect(await name()).toBe("row 0 class 1");
      await page.keyboard.type("5");
      expect((await inputOf(page))[0]![1]).toBe(152);
    }));

  it("keeps the last number after a typo, and says what is wrong", () =>
    visit(async (page) => {
      const before = await cells(page, "softmax");
      await score(page, 2).fill("1,5x");
      expect(await page.textContent("#problem")).toMatch(
        /^Not up to date\. row 0 class 2: .*is not a number/,
      );
      expect(await score(page, 2).getAttribute("aria-invalid")).toBe("true");
      expect(await cells(page, "softmax")).toEqual(before);
      await score(page, 3).focus();
      expect(await score(page, 2).inputValue()).toBe("0");
      expect(await score(page, 2).getAttribute("aria-invalid")).toBeNull();
      expect(await page.textContent("#problem")).toBe("");
    }));

  it("shows all of its digits while it has the focus", () =>
    visit(async (page) => {
      await fill(page, "#input", "1.2345678 2\n3 4");
      await fill(page, "#target", "0 1");
      expect(await score(page, 0).inputValue()).toBe("1.235");
      await score(page, 0).focus();
      expect(await score(page, 0).inputValue()).toBe("1.2345678");
      await page.keyboard.press("ArrowUp");
      expect((await inputOf(page))[0]![0]).toBe(1.3345678);
    }));

  it("edits the log-probabilities of nll_loss, and both tables of kl_div", () =>
    visit(async (page) => {
      await page.selectOption("#example", "nll");
      await score(page, 0).fill("-0.75");
      expect((await cells(page, "losses"))[0]).toBe("0.75");
      await page.selectOption("#example", "divergence");
      await page.locator("#step-target .score").first().fill("3");
      expect((await sampleOf(page)).target).toEqual([
        [3, 1, 0],
        [0.5, 0, -0.5],
      ]);
    }));

  it("changes by a finger that moves sideways, and opens the keyboard at the second tap only", () =>
    visit(async (page) => {
      const box = (await score(page, 0).boundingBox())!;
      const touch = await page.context().newCDPSession(page);
      const send = (type: "touchStart" | "touchMove" | "touchEnd", x: number) =>
        touch.send("Input.dispatchTouchEvent", {
          type,
          touchPoints: type === "touchEnd" ? [] : [{ x: box.x + 20 + x, y: box.y + 20 }],
        });
      await send("touchStart", 0);
      for (const x of [10, 20, 30, 40, 60]) await send("touchMove", x);
      await send("touchEnd", 60);
      expect((await inputOf(page))[0]![0]).toBe(5);
      await expectCurrent(page);
      expect(await page.evaluate(() => getComputedStyle(document.activeElement!).touchAction)).toBe("pan-y");
      await score(page, 6).tap();
      expect(await score(page, 6).evaluate((one: HTMLInputElement) => one.inputMode)).toBe("none");
      expect(await page.textContent("#explanation")).toBe("input[1, 1] = 0.5");
      await score(page, 6).tap();
      expect(await score(page, 6).evaluate((one: HTMLInputElement) => one.inputMode)).toBe("text");
    }, PHONE));

  it.each([
    ["with a mouse", undefined],
    ["at 390 pixels", PHONE],
  ])("has room for its digits, %s", (_name, options) =>
    visit(async (page) => {
      await page.click("#train-1");
      const cut = await page
        .locator("#step-input .score")
        .evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).length);
      expect(cut).toBe(0);
      expect((await cells(page, "input"))[1]).toBe("1.264");
    }, options),
  );

  it("does not wait for the layout of a text of more than 100,000 characters that is out of view", () =>
    visit(
      async (page) => {
        const numbers = Array.from({ length: 25_000 }, (_, n) => `${n % 7}.5`);
        for (const [count, isSkipped] of [
          [25_000, true],
          [10, false],
        ] as const) {
          await fill(page, "#target", "0");
          await fill(page, "#input", numbers.slice(0, count).join(" "));
          const heightOf = () => page.locator("#input").evaluate((text: HTMLElement) => text.offsetHeight);
          const height = await heightOf();
          await score(page, 0).press("ArrowUp");
          expect(await page.inputValue("#input")).toMatch(/^\[0\.6, 1\.5/);
          const visibility = await page
            .locator("#input")
            .evaluate((text) => getComputedStyle(text).contentVisibility);
          expect(visibility).toBe(isSkipped ? "auto" : "visible");
          expect(await heightOf()).toBe(height);
        }
      },
      { viewport: { width: 900, height: 300 } },
    ));

  it("is among the results, which come before the numbers and the folded options at 390 pixels", () =>
    visit(async (page) => {
      const top = async (selector: string): Promise<number> =>
        (await page.locator(selector).boundingBox())!.y;
      expect(await top("#steps")).toBeLessThan(await top("#input"));
      expect(await top("#steps")).toBeLessThan(560);
      expect(await page.locator("#reduction").isVisible()).toBe(false);
      await page.locator("#more > summary").tap();
      expect(await page.locator("#reduction").isVisible()).toBe(true);
      await page.selectOption("#reduction", "sum");
      expect(await page.textContent("#hop-result .arrow")).toBe("sum");
    }, PHONE));
});

describe.skipIf(!HAS_CHROMIUM)("a cell that is pointed at", () => {
  const visit = useVisits(useService());
  const lit = (page: Page, name: string): Promise<string[]> =>
    page
      .locator(`#steps .${name}`)
      .evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.cell!));

  it("lights its row in all steps, and the cells that it comes from", () =>
    visit(async (page) => {
      await page.locator("[data-cell='losses:1']").hover();
      const row = [0, 1, 2, 3, 4].map((c) => `1,${c}`);
      const scores = row.map((at) => `input:${at}`);
      expect(await lit(page, "source")).toEqual([...scores, "softmax:1,0", "log:1,0", "losses:1"]);
      expect(await lit(page, "lit")).toEqual([
        ...scores,
        ...row.map((at) => `softmax:${at}`),
        ...row.map((at) => `log:${at}`),
        "losses:1",
        ...row.map((at) => `gradient:${at}`),
      ]);
      await page.locator("#loss").hover();
      expect((await lit(page, "source")).filter((cell) => cell.startsWith("losses"))).toHaveLength(3);
      expect(await page.textContent("#explanation")).toBe("loss = (1.574 + 1.641 + 0.6393) / 3 = 1.285");
      await page.locator("#steps-title").hover();
      expect(await lit(page, "source")).toEqual([]);
    }));

  it("has its formula beside it, in the window, and not over a cell", () =>
    visit(async (page) => {
      for (const cell of ["softmax:0,0", "softmax:2,4", "log:1,0", "losses:2", "gradient:2,3"]) {
        const target = page.locator(`[data-cell='${cell}']`);
        await target.focus();
        const table = (await page.locator("table", { has: target }).boundingBox())!;
        const formula = (await page.locator("#explanation").boundingBox())!;
        expect(formula.y + formula.height, cell).toBeLessThanOrEqual(table.y + 1);
        expect(table.y - formula.y - formula.height, cell).toBeLessThan(8);
        expect(formula.x, cell).toBeGreaterThanOrEqual(0);
        expect(formula.x + formula.width, cell).toBeLessThanOrEqual(1280);
      }
    }));

  it("stays lit while its numbers change", () =>
    visit(async (page) => {
      await page.locator("#step-input .score").first().focus();
      await page.keyboard.press("ArrowUp");
      expect(await lit(page, "source")).toEqual(["input:0,0"]);
      expect(await page.textContent("#explanation")).toBe("input[0, 0] = 2.1");
    }));
});
