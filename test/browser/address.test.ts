/** What the playground's address keeps: skip links, links of old results, and a reload. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, fill, OWN_CONTEXT, useVisits } from "./visit.ts";

describe.skipIf(!HAS_CHROMIUM)("a skip link", () => {
  const service = useService();
  const visit = useVisits(service);

  const focused = (page: Page): Promise<string> => page.evaluate(() => document.activeElement!.id);

  it.each([
    ["To the steps", "steps"],
    ["To the numbers and options", "form"],
  ])("%s moves the focus and the view, and leaves the lesson and its address", (name, id) =>
    visit(async (page) => {
      await fill(page, "#input", "1 2\n3 4");
      await fill(page, "#target", "0 1");
      await expect.poll(() => page.url()).toContain("input=((1,2),(3,4))");
      const address = page.url();
      const link = page.getByRole("link", { name });
      await link.focus();
      await page.keyboard.press("Enter");
      expect(await focused(page)).toBe(id);
      const top = await page.locator(`#${id}`).evaluate((part) => part.getBoundingClientRect().top);
      expect(top).toBeLessThan(await page.evaluate(() => window.innerHeight));
      expect(page.url()).toBe(address);
      expect(await cells(page, "input")).toEqual(["1", "2", "3", "4"]);
      expect(await page.textContent("#link-problem")).toBe("");
    }),
  );

  it("that was followed before the script ran opens the first example without a complaint", () =>
    visit(async (page) => {
      await page.goto("about:blank");
      await page.goto(`${service().url}/#form`);
      await page.waitForSelector("#step-input");
      expect(await page.textContent("#link-problem")).toBe("");
      expect(await page.textContent("#loss")).toBe("1.676");
    }));

  it("of a page whose script does not hear its click changes no lesson", () =>
    visit(async (page) => {
      await page.evaluate(() => {
        location.hash = "#steps";
      });
      await expect.poll(() => page.url()).toMatch(/#example=rows&v=1$/);
      expect(await page.textContent("#loss")).toBe("1.285");
      expect(await page.textContent("#link-problem")).toBe("");
    }));
});

describe.skipIf(!HAS_CHROMIUM)("a copied link", () => {
  const visit = useVisits(useService());

  it.each([
    ["a typo", "#input", "1 2 x"],
    ["refused numbers", "#target", "1 7 4"],
  ])("is not made of the last results after %s", (_name, field, text) =>
    visit(
      async (page) => {
        await page.evaluate(() => navigator.clipboard.writeText("before"));
        await fill(page, field, text);
        await page.click("#copy-link");
        await expect
          .poll(() => page.textContent("#link-copied"))
          .toBe("The link would be of the last results: correct the numbers first.");
        expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("before");
      },
      { permissions: ["clipboard-read", "clipboard-write"] },
    ),
  );
});

describe.skipIf(!HAS_CHROMIUM)("a page that is loaded again", () => {
  const service = useService();
  const visit = useVisits(service);

  const MANY = Array.from({ length: 90 }, (_, n) => Array.from({ length: 90 }, () => n % 7).join(" "));

  async function reload(page: Page): Promise<void> {
    await page.reload();
    await page.waitForSelector("#step-input");
  }

  /** Fills both texts, chooses the operation, and waits until the address and the storage have followed. */
  async function write(page: Page, input: string, target: string, operation: string): Promise<void> {
    await fill(page, "#input", input);
    await fill(page, "#target", target);
    await page.selectOption("#operation", operation);
    await page.waitForTimeout(400);
  }

  it.each([
    ["numbers that are too many for a link", MANY.join("\n"), "[0]", "log_softmax"],
    ["a text that is not valid", "1 2 x", "0 1", "cross_entropy"],
    ["numbers that are refused", "1 2\n3 4", "0 7", "cross_entropy"],
    ["the target of an operation without one", "1 2\n3 4", "0 1", "log_softmax"],
  ])("has %s", (_name, input, target, operation) =>
    visit(async (page) => {
      await write(page, input, target, operation);
      const [problem, numbers] = [await page.textContent("#problem"), await cells(page, "input")];
      await reload(page);
      expect(await page.inputValue("#input")).toBe(input);
      expect(await page.inputValue("#target")).toBe(target);
      expect(await page.inputValue("#operation")).toBe(operation);
      expect(await page.textContent("#problem")).toBe(problem);
      if (problem === "") expect(await cells(page, "input")).toEqual(numbers);
    }),
  );

  it("has options, names and the learning rate, with their folds open", () =>
    visit(async (page) => {
      await page.fill("#learning_rate", "0.25");
      await page.fill("#class_names", "a, b");
      await page.locator("#more > summary").click();
      await page.fill("#softcap", "3");
      await page.locator("#return_correct").check();
      await fill(page, "#input", "1 x");
      await reload(page);
      expect(await page.inputValue("#learning_rate")).toBe("0.25");
      expect(await page.inputValue("#class_names")).toBe("a, b");
      expect(await page.inputValue("#softcap")).toBe("3");
      expect(await page.locator("#return_correct").isChecked()).toBe(true);
      expect(await page.locator("#softcap").isVisible()).toBe(true);
    }));

  it.each([
    ["a typo", "1 2 x"],
    ["numbers", "1 2 3 4 5\n5 4 3 2 1\n2 2 1 1 1"],
    ["many numbers", MANY.join("\n")],
  ])("has %s that came just before", (_name, input) =>
    visit(async (page) => {
      await fill(page, "#input", input);
      await reload(page);
      await page.waitForTimeout(400);
      const text = await page.inputValue("#input");
      expect(text.replaceAll(/[^\dx]+/g, " ").trim()).toBe(input.replaceAll("\n", " "));
    }),
  );

  it("has an example that was chosen just before", () =>
    visit(async (page) => {
      await page.selectOption("#example", "log-softmax");
      await reload(page);
      expect(await page.inputValue("#example")).toBe("log-softmax");
    }));

  it("keeps an example that has not changed", () =>
    visit(async (page) => {
      await write(page, "1 x", "0", "cross_entropy");
      await page.selectOption("#example", "log-softmax");
      await page.waitForTimeout(400);
      await reload(page);
      expect(await page.inputValue("#example")).toBe("log-softmax");
      expect(await page.inputValue("#input")).not.toBe("1 x");
    }));

  it("is that of a link which is opened on purpose", () =>
    visit(async (page) => {
      await write(page, "1 2 x", "0 1", "cross_entropy");
      await page.goto("about:blank");
      await page.goto(`${service().url}/#example=rows&v=1`);
      await page.waitForSelector("#step-input");
      expect(await page.textContent("#problem")).toBe("");
      expect(await page.textContent("#loss")).toBe("1.285");
    }));

  it("is that of the address where another lesson was opened there", () =>
    visit(async (page) => {
      await write(page, "1 2 x", "0 1", "cross_entropy");
      await page.evaluate(() => {
        location.hash = "#example=cats&v=1";
      });
      await expect.poll(() => page.textContent("#loss")).toBe("1.676");
      await reload(page);
      expect(await page.textContent("#loss")).toBe("1.676");
      expect(await page.textContent("#problem")).toBe("");
    }));

  it.each([
    ["blocked", "get"],
    ["full", "setItem"],
  ])("opens the lesson of the address where the storage is %s", (_name, fault) =>
    visit(async (page) => {
      await page.addInitScript((kind) => {
        const fail = () => {
          throw new DOMException("no", kind === "get" ? "SecurityError" : "QuotaExceededError");
        };
        if (kind === "get") Object.defineProperty(window, "sessionStorage", { get: fail });
        else Storage.prototype.setItem = fail;
      }, fault);
      await reload(page);
      await write(page, "1 2 x", "0 1", "cross_entropy");
      await reload(page);
      expect(await page.textContent("#loss")).toBe("1.285");
      expect(await page.textContent("#problem")).toBe("");
    }, OWN_CONTEXT),
  );
});
