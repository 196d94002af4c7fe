/** Drags of a score that end or are taken over outside of the steps. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, useVisits } from "./visit.ts";

describe.skipIf(!HAS_CHROMIUM)("a drag of a score", () => {
  const visit = useVisits(useService());

  const first = async (page: Page): Promise<string> => (await cells(page, "input"))[0]!;

  /** Presses the button on the first score, and returns the place. */
  async function press(page: Page): Promise<{ x: number; y: number }> {
    const box = (await page.locator("#step-input .score").first().boundingBox())!;
    const place = { x: box.x + 20, y: box.y + 10 };
    await page.mouse.move(place.x, place.y);
    await page.mouse.down();
    return place;
  }

  /** Sends an event of a pointer to the first score. */
  const send = (page: Page, type: string, init: PointerEventInit): Promise<void> =>
    page
      .locator("#step-input .score")
      .first()
      .dispatchEvent(type, { bubbles: true, ...init });

  it.each([
    ["before it has moved 4 pixels", 2],
    ["after that", 30],
  ])("ends where the button is released outside of the steps, %s", (_name, pixels) =>
    visit(async (page) => {
      const { x, y } = await press(page);
      await page.mouse.move(x + pixels, y);
      // In one move, because a move within the steps would begin the drag.
      const title = (await page.locator("#steps-title").boundingBox())!;
      await page.mouse.move(title.x + 5, title.y + 5);
      await page.mouse.up();
      const released = await first(page);
      await page.mouse.move(x, y);
      await page.mouse.move(x + 60, y, { steps: 3 });
      expect(await first(page)).toBe(released);
    }),
  );

  it("ends at a move without the button, whose release only another window heard", () =>
    visit(async (page) => {
      const { x, y } = await press(page);
      await page.mouse.move(x + 20, y);
      expect(await first(page)).toBe("3");
      await send(page, "pointermove", { pointerId: 1, buttons: 0, clientX: x + 40, clientY: y });
      await send(page, "pointermove", { pointerId: 1, buttons: 1, clientX: x + 60, clientY: y });
      expect(await first(page)).toBe("3");
      await page.mouse.up();
    }));

  it("does not follow another pointer", () =>
    visit(async (page) => {
      const { x, y } = await press(page);
      await send(page, "pointermove", { pointerId: 77, buttons: 1, clientX: x + 60, clientY: y });
      expect(await first(page)).toBe("2");
      await page.mouse.up();
    }));
});
