/** The pages in Debian's Firefox. Skipped without Firefox. */
import { describe, expect, it } from "vitest";
import { HAS_FIREFOX, useFirefox } from "../support/firefox.ts";
import { useService } from "../support/service.ts";

const START = "#example=rows&v=1";
/** The key of the arrow up in WebDriver. */
const ARROW_UP = "\uE013";

describe.skipIf(!HAS_FIREFOX)("in Firefox", () => {
  const service = useService();
  const tab = useFirefox();

  const textOf = (selector: string) =>
    tab().evaluate<string>(`document.querySelector("${selector}").textContent`);
  const isShown = (selector: string) =>
    expect.poll(() => tab().evaluate(`document.querySelector("${selector}") !== null`)).toBe(true);

  async function openPlayground(): Promise<void> {
    // An address that differs in its hash alone would not load the page again.
    await tab().open("about:blank");
    await tab().open(`${service().url}/${START}`);
    await isShown("#step-input");
  }

  it("every page runs without an error, and nothing violates its policy", async () => {
    await openPlayground();
    await tab().open(`${service().url}/guide/recipes`);
    await isShown(".code button");
    await tab().open(`${service().url}/docs/`);
    await isShown(".opblock");
    expect(tab().errors).toEqual([]);
  });

  it("the playground trains, and has the server's numbers bit by bit", async () => {
    await openPlayground();
    await tab().evaluate(`document.querySelector("#train-10").click()`);
    await expect.poll(() => textOf("#steps-sentence")).toMatch(/^10 steps/);
    await tab().evaluate(`document.querySelector("#ask button").click()`);
    await expect.poll(() => textOf("#server-verdict")).toBe("The server’s numbers are the same, bit by bit.");
  });

  it("the playground steps a score by the keyboard, and tells it to screen readers", async () => {
    await openPlayground();
    await tab().evaluate(`document.querySelector("#step-input .score").focus()`);
    await tab().press(ARROW_UP);
    expect(await tab().evaluate(`document.activeElement.value`)).toBe("2.1");
    expect(await tab().count("spinbutton", "row 0 class 0")).toBe(1);
    expect(await tab().count("grid")).toBe(5);
    expect(await tab().count("region", "Explanation")).toBe(1);
    await expect.poll(() => textOf("#spoken")).toContain("Loss 1.3");
  });

  it("the playground comes back from the page's cache as it was left, in the theme that was chosen since", async () => {
    await openPlayground();
    await tab().evaluate(
      `addEventListener("pageshow", ({ persisted }) => { window.isPersisted = persisted; })`,
    );
    await tab().evaluate(`document.querySelector("#train-100").click()`);
    await tab().evaluate(`void (location.href = "guide/")`);
    await isShown(".search");
    await tab().evaluate(
      `Object.assign(document.querySelector("#theme"), { value: "dark" }).dispatchEvent(new Event("change", { bubbles: true }))`,
    );
    await tab().evaluate(`history.back()`);
    await isShown("#steps-sentence");
    expect(await tab().evaluate("window.isPersisted")).toBe(true);
    await expect.poll(() => textOf("#steps-sentence")).toMatch(/^100 steps/);
    expect(await tab().evaluate("document.documentElement.dataset.theme")).toBe("dark");
  });

  it("the playground that is loaded again has a text that is not valid", async () => {
    await openPlayground();
    await tab().evaluate(
      `Object.assign(document.querySelector("#input"), { value: "1 x" }).dispatchEvent(new Event("input", { bubbles: true }))`,
    );
    await expect.poll(() => textOf("#problem")).toContain("x is not a number");
    await tab().evaluate("location.reload()");
    await expect.poll(() => textOf("#problem").catch(() => "")).toContain("x is not a number");
    expect(await tab().evaluate(`document.querySelector("#input").value`)).toBe("1 x");
  });

  it.each([1280, 320])("nothing leaves its frame or scrolls sideways in %i pixels", async (width) => {
    await tab().resize(width, 600);
    await openPlayground();
    for (const dir of ["ltr", "rtl"]) {
      await tab().evaluate(`void (document.documentElement.dir = "${dir}")`);
      const [page, ...steps] = await tab().evaluate<number[]>(
        `[document.documentElement, ...document.querySelectorAll(".step")].map((one) => one.scrollWidth - one.clientWidth)`,
      );
      expect(page, dir).toBe(0);
      expect(Math.max(...steps), dir).toBe(0);
    }
  });
});
