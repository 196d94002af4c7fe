/** The playground in a real browser: Debian's chromium, driven through playwright-core; skipped where it is not found. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTokens } from "../../src/http/tokens.ts";
import { EXAMPLES } from "../../src/playground/examples.ts";
import { useService } from "../service.ts";

const CHROMIUM = "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const run = promisify(execFile);

describe.skipIf(!existsSync(CHROMIUM))("the playground in chromium", () => {
  const service = useService();
  const guarded = useService({ tokens: readTokens("sesame") });
  let browser: Browser;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(() => browser?.close());

  /** Opens the page, works with it, and makes sure that nothing failed and that no request left the server. */
  async function visit(
    work: (page: Page) => Promise<void>,
    options: { colorScheme?: "light" | "dark"; viewport?: { width: number; height: number } } = {},
    url = service().url,
  ): Promise<void> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith("data:")) faults.push(request.url());
    });
    try {
      await page.goto(`${url}/`);
      await page.waitForSelector("#step-input, #problem:not([hidden])");
      await work(page);
      expect(faults).toEqual([]);
    } finally {
      await context.close();
    }
  }

  const choose = async (page: Page, title: string): Promise<void> => {
    await page.locator("#steps").evaluate((steps) => steps.replaceChildren());
    await page.selectOption("#example", { label: title });
    await page.waitForSelector("#step-input");
  };

  /** What axe finds. */
  const faultsOf = async (page: Page): Promise<string[]> => {
    await page.evaluate(AXE);
    return page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
    });
  };

  const widthOf = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth);

  /** The numbers of a step's cells, row by row. */
  const cells = (page: Page, step: string): Promise<string[]> =>
    page
      .locator(`#step-${step} .cell`)
      .evaluateAll((all) => all.map((cell) => cell.firstChild?.textContent ?? ""));

  it.each(EXAMPLES.map((example) => [example.title, example] as const))(
    "shows %s",
    async (title, example) => {
      await visit(async (page) => {
        await choose(page, title);
        const { operation, input, target, options } = example;
        const answer = await service().post(`/v1/${operation}`, {
          input,
          target,
          return_grad: true,
          ...options,
        });
        if (operation === "log_softmax")
          expect(await page.locator("#problem").isVisible()).toBe(answer.status !== 200);
        else if (answer.json.loss !== undefined) {
          const shown = (await page.textContent("#loss"))!.replace("−", "-");
          if (answer.json.loss === "NaN") expect(shown).toBe("NaN");
          else expect(Number(shown)).toBeCloseTo(answer.json.loss, 3);
          expect((await cells(page, "gradient")).length).toBe((input as unknown[]).flat(3).length);
        }
        if (operation === "cross_entropy") {
          for (const cell of await page.locator("#step-softmax .sum").allTextContents())
            expect(cell).toBe("1");
        }
      });
    },
  );

  it("gives the same number three ways", () =>
    visit(async (page) => {
      await choose(page, "One-hot or index");
      await page.waitForSelector(".ways li");
      const numbers = (await page.locator(".ways li").allTextContents()).map((text) => text.split(": ")[1]);
      expect(numbers).toHaveLength(3);
      expect(new Set(numbers).size).toBe(1);
    }));

  it("explains a cell with its own numbers, also for the keyboard alone", () =>
    visit(async (page) => {
      await page.locator("#step-softmax .cell").nth(1).hover();
      expect(await page.textContent("#explanation")).toBe(
        "softmax[0, 1] = exp(1) / (exp(2) + exp(1) + exp(0) + exp(−1) + exp(0.5)) = 0.2071",
      );
      await page.locator("#format").focus();
      // The token's summary, then the tables: one stop each.
      for (let k = 0; k < 3; k++) await page.keyboard.press("Tab");
      for (const key of ["ArrowRight", "ArrowDown", "End"]) await page.keyboard.press(key);
      expect(await page.textContent("#explanation")).toMatch(
        /^softmax\[1, 4\] = exp\(−1\) \/ \(.*\) = 0\.05553$/,
      );
      await page.locator("#step-losses .cell").first().focus();
      expect(await page.textContent("#explanation")).toBe(
        "loss[0] = −log_softmax at class 1 = −(−1.574) = 1.574",
      );
      await page.locator("#step-gradient .cell").nth(1).focus();
      expect(await page.textContent("#explanation")).toMatch(
        /^grad_input\[0, 1\] = softmax 0\.2071 − 1, since this is the target, divided .* = −0\.2643$/,
      );
    }));

  it("takes what a spreadsheet's clipboard has, and every option", () =>
    visit(async (page) => {
      await page.fill("#input", "1\t2\t3\n0\t0\tinf\n");
      await page.fill("#target", "2, 0");
      await page.fill("#weight", "1 2 3");
      await page.fill("#label_smoothing", "0.1");
      await page.selectOption("#reduction", "sum");
      await page.locator("#return_grad").uncheck();
      await expect.poll(() => page.textContent("#step-result h3")).toBe("Reduction: sum");
      expect(await cells(page, "input")).toEqual(["1", "2", "3", "0", "0", "∞"]);
      expect(JSON.parse((await page.textContent("#sample"))!.split("-d '\n")[1]!.slice(0, -1))).toEqual({
        input: [
          [1, 2, 3],
          [0, 0, "Infinity"],
        ],
        target: [2, 0],
        weight: [1, 2, 3],
        label_smoothing: 0.1,
        reduction: "sum",
      });
      expect(await page.locator("#step-gradient").count()).toBe(0);
    }));

  it.each(["logSoftmax", "nllLoss", "crossEntropy"])(
    "lets the reference execute %s with the example that it shows",
    (operation) =>
      visit(async (page) => {
        await page.goto(`${service().url}/docs/`);
        const block = page.locator(`[id$="-${operation}"]`);
        await block.locator(".opblock-summary-control").click();
        await block.getByRole("button", { name: "Execute" }).click();
        const status = block.locator(".live-responses-table tbody .response-col_status");
        await expect.poll(() => status.textContent(), { timeout: 10_000 }).toMatch(/^200/);
      }),
  );

  it("shows a refusal at its control and its cell", () =>
    visit(async (page) => {
      await page.fill("#target", "[1, 7, 4]");
      await page.waitForSelector("#problem:not([hidden])");
      expect(await page.textContent("#problem-title")).toBe("Refused: target_out_of_bounds");
      expect(await page.textContent("#error-target")).toContain("Target 7 is out of bounds");
      expect(await page.getAttribute("#target", "aria-invalid")).toBe("true");
      expect(await page.locator(".cell.fault").first().textContent()).toContain("7 at fault: Target 7");
      await page.fill("#target", "[1, 0, 4]");
      await page.waitForSelector("#step-gradient");
      expect(await page.locator("#problem").isVisible()).toBe(false);
      await page.fill("#input", "1 2 x");
      await expect.poll(() => page.textContent("#error-input")).toBe("Line 1: x is not a number.");
    }));

  it("asks for a token where the server does, and sends it", () =>
    visit(
      async (page) => {
        await page.waitForSelector("#token");
        expect(await page.textContent("#problem-title")).toBe("Refused: unauthorized");
        await page.fill("#token", "sesame");
        await page.waitForSelector("#loss");
        expect(await page.textContent("#sample")).toContain("Bearer $TOKEN");
        expect(await page.textContent("#sample")).not.toContain("sesame");
      },
      {},
      guarded().url,
    ));

  it.each(["curl", "Python"] as const)(
    "copies a request in %s that gives the answer that is shown",
    (language) =>
      visit(async (page) => {
        await page.waitForSelector("#loss");
        await page.locator(`input[value="${language}"]`).check();
        await page.click("#copy");
        await expect.poll(() => page.textContent("#copied")).toMatch(/Copied|Selected/);
        const code = (await page.textContent("#sample"))!;
        const { stdout } = await run(language === "curl" ? "bash" : "python3", ["-c", code]);
        const answer = JSON.parse((await page.textContent("#answer"))!);
        expect(JSON.parse(stdout.replaceAll("'", '"'))).toEqual(answer);
      }),
  );

  it("copies a request in TypeScript that gives the answer that is shown", () =>
    visit(async (page) => {
      await page.waitForSelector("#loss");
      await page.locator('input[value="TypeScript"]').check();
      const code = (await page.textContent("#sample"))!.replace(
        "console.log(await answer.json())",
        "console.log(await answer.text())",
      );
      const { stdout } = await run(process.execPath, ["--input-type=module-typescript", "-e", code]);
      expect(JSON.parse(stdout)).toEqual(JSON.parse((await page.textContent("#answer"))!));
    }));

  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 360],
  ] as const)(
    "has no fault that axe finds, in %s, %i pixels wide, and no sideways scrolling",
    (colorScheme, width) =>
      visit(
        async (page) => {
          for (const { title } of EXAMPLES) {
            await choose(page, title);
            await page.waitForTimeout(50);
            expect(await faultsOf(page), title).toEqual([]);
            expect(await widthOf(page), title).toBeLessThanOrEqual(width);
          }
          for (const name of ["", "start", "losses", "sdk", "readme"]) {
            await page.goto(`${service().url}/guide/${name}`);
            expect(await faultsOf(page), name).toEqual([]);
            expect(await widthOf(page), name).toBeLessThanOrEqual(width);
          }
        },
        { colorScheme, viewport: { width, height: 800 } },
      ),
    60_000,
  );
});
