/** The playground in Debian's chromium. Skipped without chromium. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, choose, fill, OWN_CONTEXT, sampleOf, useVisits } from "./visit.ts";

const run = promisify(execFile);

describe.skipIf(!HAS_CHROMIUM)("the playground in chromium", () => {
  const service = useService();
  const visit = useVisits(service);

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
        expect(answer.status).toBe(200);
        expect(await page.textContent("#problem")).toBe("");
        expect((await cells(page, "gradient")).length).toBe((input as unknown[]).flat(3).length);
        if (answer.json.loss !== undefined) {
          const shown = (await page.textContent("#loss"))!.replace("−", "-");
          if (answer.json.loss === "NaN") expect(shown).toBe("NaN");
          else expect(Number(shown)).toBeCloseTo(answer.json.loss, 3);
        }
        for (const picture of await page.locator("svg").all())
          expect(await picture.innerHTML()).not.toMatch(/NaN|Infinity|undefined/);
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
      const explained = () => page.textContent("#explanation");
      await page.locator("#step-softmax .cell").nth(1).hover();
      await expect
        .poll(explained)
        .toBe("softmax[0, 1] = exp(1) / (exp(2) + exp(1) + exp(0) + exp(−1) + exp(0.5)) = 0.2071");
      await page.locator("#steps-title").hover();
      await expect.poll(explained).toBe("");
      // The tables have one stop each.
      await page.locator("#copy-link").focus();
      for (const key of ["Tab", "Tab", "ArrowRight", "ArrowDown", "ArrowRight"])
        await page.keyboard.press(key);
      await expect.poll(explained).toMatch(/^softmax\[1, 2\] = exp\(−0\.5\) \/ \(.*\) = 0\.09155$/);
      await page.keyboard.press("End");
      await expect.poll(explained).toBe("These add up to 1.");
      await page.keyboard.press("Control+Home");
      await expect.poll(explained).toMatch(/^softmax\[0, 0\]/);
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Tab");
      // The stop of a table is where the focus was last.
      expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.cell)).toBe(
        "softmax:0,0",
      );
      await page.keyboard.press("Escape");
      expect(await explained()).toBe("");
      await page.locator("#step-gradient .cell").nth(1).focus();
      const sentence =
        "grad_input[0, 1] = (0.2071 − 1) / 3 = −0.2643: softmax minus the target's share of this class, divided by total_weight";
      await expect.poll(explained).toBe(sentence);
      await expect.poll(() => page.textContent("#spoken")).toBe(sentence);
    }));

  it("keeps the focus at its cell when the numbers change, and where the step is gone at the steps", () =>
    visit(async (page) => {
      const place = () =>
        page.evaluate(
          () => (document.activeElement as HTMLElement).dataset.cell ?? document.activeElement?.id,
        );
      const set = (id: string, value: string) =>
        page.locator(id).evaluate((control: HTMLInputElement, text) => {
          control.value = text;
          control.dispatchEvent(new Event("input", { bubbles: true }));
        }, value);
      await page.locator("#step-softmax .cell").nth(7).focus();
      await set("#label_smoothing", "0.1");
      expect(await page.textContent("#loss")).not.toBe("1.285");
      expect(await place()).toBe("softmax:1,2");
      await set("#target", "[9, 9, 9]");
      expect(await place()).toBe("softmax:1,2");
      await set("#target", "[1, 0, 4]");
      await set("#operation", "nll_loss");
      expect(await place()).toBe("steps");
    }));

  it("takes what a spreadsheet's clipboard has, and every option", () =>
    visit(async (page) => {
      await fill(page, "#input", "1\t2\t3\n0\t0\tinf\n");
      await fill(page, "#target", "2, 0");
      await page.fill("#weight", "1 2 3");
      await page.fill("#label_smoothing", "0.1");
      await page.selectOption("#reduction", "sum");
      await page.locator("#return_grad").uncheck();
      expect(await page.textContent("#hop-result .arrow")).toBe("sum");
      expect(await page.locator("#step-gradient").count()).toBe(0);
      expect(await cells(page, "input")).toEqual(["1", "2", "3", "0", "0", "∞"]);
      expect(await sampleOf(page)).toEqual({
        input: [
          [1, 2, 3],
          [0, 0, "Infinity"],
        ],
        target: [2, 0],
        weight: [1, 2, 3],
        label_smoothing: 0.1,
        reduction: "sum",
      });
    }));

  it("shows a refusal at its control, and keeps the last picture", () =>
    visit(async (page) => {
      const before = await cells(page, "gradient");
      await fill(page, "#target", "[1, 7, 4]");
      const message =
        "target[1]: Target 7 is out of bounds. Expected a class index in [0, 4] or ignore_index (-100)";
      expect(await page.textContent("#problem")).toBe(`Not up to date. ${message} (target_out_of_bounds)`);
      expect(await page.textContent("#error-target")).toBe(message);
      expect(await page.getAttribute("#target", "aria-invalid")).toBe("true");
      expect(await page.locator("#steps.stale").count()).toBe(1);
      expect(await cells(page, "gradient")).toEqual(before);
      await fill(page, "#target", "[1, 0, 3]");
      expect(await page.textContent("#problem")).toBe("");
      expect(await page.locator("#steps.stale").count()).toBe(0);
      expect(await cells(page, "gradient")).not.toEqual(before);
    }));

  it("keeps the last picture after a typo, says where it is, and offers no request that cannot be read", () =>
    visit(async (page) => {
      const before = await cells(page, "softmax");
      await fill(page, "#input", "1 2 x");
      expect(await page.textContent("#error-input")).toBe("Line 1: x is not a number.");
      expect(await page.textContent("#problem")).toBe("Not up to date. input: Line 1: x is not a number.");
      expect(await cells(page, "softmax")).toEqual(before);
      expect(await page.textContent("#sample")).toBe("");
      expect(await page.locator("#copy").isDisabled()).toBe(true);
      await choose(page, "Three pictures of cats");
      expect(await page.textContent("#problem")).toBe("");
      expect(await page.textContent("#loss")).toBe("1.676");
    }));

  it("says where a fault is that is not drawn", () =>
    visit(async (page) => {
      await fill(page, "#input", Array.from({ length: 60 }, () => "1 2").join("\n"));
      await fill(page, "#target", Array.from({ length: 60 }, (_, n) => (n === 45 ? 2 : 0)).join("\n"));
      expect(await page.textContent("#error-target")).toMatch(/^target\[45\]: Target 2 is/);
      expect(await page.textContent("#problem")).toMatch(/target\[45\]: Target 2 is/);
    }));

  it("shows a divergence as tables of its operands, losses and gradients", () =>
    visit(async (page) => {
      await page.selectOption("#example", { label: "How far two distributions are apart (kl_div)" });
      await page.waitForSelector("#step-gradient-target");
      const { json } = await service().post("/v1/kl_div", {
        input: [
          [1, 2, 0.5],
          [0, 0, 0],
        ],
        target: [
          [2, 1, 0],
          [0.5, 0, -0.5],
        ],
        from_logits: true,
        reduction: "batchmean",
        return_grad: true,
        return_grad_target: true,
      });
      expect(await page.textContent("#hop-result .arrow")).toBe("batchmean");
      expect(Number(await page.textContent("#loss"))).toBeCloseTo(json.loss, 3);
      const losses = (await cells(page, "losses")).map((text) => Number(text.replace("−", "-")));
      expect(losses).toHaveLength(6);
      expect(losses.reduce((sum, loss) => sum + loss, 0) / 2).toBeCloseTo(json.loss, 2);
      await page.locator("#from_logits").uncheck();
      await expect.poll(() => page.textContent("#step-target h3")).toBe("Target: probabilities");
      await page.selectOption("#operation", "cross_entropy");
      expect(await page.locator("#reduction").inputValue()).toBe("");
      await expect.poll(() => page.locator("#field-log_target").isVisible()).toBe(false);
    }));

  it("takes the note of a text away with the text", () =>
    visit(async (page) => {
      await fill(page, "#input", "a b\n1 2\n3 4\n5 6");
      await expect.poll(() => page.textContent("#note-input")).toContain("was left out");
      await fill(page, "#input", "1 x");
      await expect.poll(() => page.textContent("#error-input")).not.toBe("");
      expect(await page.textContent("#note-input")).toBe("");
    }));

  it("marks a fault also in forced colours, and in the guide only the page that is shown", () =>
    visit(
      async (page) => {
        const of = (selector: string) =>
          page
            .locator(selector)
            .first()
            .evaluate((one) => {
              const { borderLeftStyle, borderLeftColor, color } = getComputedStyle(one);
              return [borderLeftStyle, borderLeftColor === color];
            });
        await fill(page, "#target", "[1, 7, 4]");
        expect(await of("#target")).toEqual(["dashed", true]);
        await fill(page, "#target", "[1, 0, 4]");
        await page.locator(".score").first().fill("x");
        expect((await of(".score"))[0]).toBe("dashed");
        await page.goto(`${service().url}/guide/start`);
        expect((await of(".pages a:not([aria-current])"))[0]).toBe("none");
        expect((await of(".pages [aria-current]"))[0]).toBe("solid");
      },
      { forcedColors: "active" },
    ));

  it("asks for no gradient of several numbers until there is a grad_output", () =>
    visit(async (page) => {
      await page.selectOption("#reduction", "none");
      expect(await page.locator("#step-result").count()).toBe(0);
      expect(await page.textContent("#problem")).toBe("");
      expect(await page.locator("#return_grad").isChecked()).toBe(false);
      expect(await page.textContent("#hint-return_grad")).toContain("grad_output");
      await page.locator("#more summary").click();
      await page.fill("#grad_output", "1 0 -1");
      await page.waitForSelector("#step-gradient");
      expect((await cells(page, "gradient")).slice(5, 10)).toEqual(["0", "0", "0", "0", "0"]);
      // By hand, it is the person's own question.
      await page.fill("#grad_output", "");
      await page.locator("#return_grad").check();
      expect(await page.textContent("#problem")).toContain("(grad_output_required)");
      expect(await page.textContent("#error-grad_output")).not.toBe("");
    }));

  it("shows transformed scores before the softmax, and marks rows that shift leaves without a target", () =>
    visit(async (page) => {
      await choose(page, "Bounded and divided scores (softcap, temperature)");
      await page.waitForSelector("#step-transformed");
      const ids = await page.locator("#steps > .hop").evaluateAll((all) => all.map(({ id }) => id));
      expect(ids.slice(0, 3)).toEqual(["hop-input", "hop-transformed", "hop-softmax"]);
      await page.locator("#step-transformed .cell").nth(1).focus();
      await expect
        .poll(() => page.textContent("#explanation"))
        .toBe("transformed[0, 1] = 2 × tanh(1 / 2) / 0.5 = 1.848");
      await choose(page, "Next tokens (dim, shift)");
      await page.waitForSelector("#step-gradient");
      expect(await page.locator("#step-softmax .picked").count()).toBe(3);
      await page.locator("#step-gradient .cell").nth(9).focus();
      await expect
        .poll(() => page.textContent("#explanation"))
        .toBe("grad_input[0, 3, 0] = 0: shift leaves this row without a target");
    }));

  it("works where the browser keeps nothing", () =>
    visit(async (page) => {
      await page.addInitScript(() => {
        Object.defineProperty(window, "localStorage", {
          get: () => {
            throw new DOMException("blocked", "SecurityError");
          },
        });
      });
      await page.reload();
      await page.waitForSelector("#loss");
      await page.selectOption("#theme", "dark");
      // As after going back.
      await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pageshow")));
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
    }, OWN_CONTEXT));

  it("takes no text and no Enter key before it has loaded", () =>
    visit(async (page) => {
      let release = (): void => undefined;
      const isReleased = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route("**/playground/page.js", async (route) => {
        await isReleased;
        await route.continue();
      });
      const isLoaded = page.reload();
      await page.waitForSelector("#class_names");
      await page.evaluate(() => document.getElementById("class_names")!.focus());
      await page.keyboard.type("early");
      await page.keyboard.press("Enter");
      release();
      await isLoaded;
      await page.waitForSelector("#step-input");
      expect(await page.inputValue("#class_names")).not.toContain("early");
      await fill(page, "#class_names", "late, names");
      expect(await page.textContent("#step-input th >> nth=0")).toContain("late");
    }, OWN_CONTEXT));

  it("keeps the choice of a theme on the way to the guide", () =>
    visit(async (page) => {
      await page.selectOption("#theme", "dark");
      await page.getByRole("link", { name: "Guide" }).click();
      await page.waitForURL("**/guide/");
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
      await page.goBack();
      await expect.poll(() => page.inputValue("#theme")).toBe("dark");
    }));

  it(
    "is where the reference leads, as the guide is, whose pages have the names that lead to them",
    () =>
      visit(async (page) => {
        for (const [name, url] of [
          ["The guide", "**/guide/"],
          ["The playground", `${service().url}/`],
        ] as const) {
          await page.goto(`${service().url}/docs/`);
          expect(await page.title()).toBe("lossd reference");
          const link = page.getByRole("link", { name, exact: true });
          expect(await link.getAttribute("href")).toMatch(/^\.\.\//);
          await link.evaluate((one) => one.removeAttribute("target"));
          await link.click();
          await page.waitForURL(url);
        }
        await page.goto(`${service().url}/guide/operations`);
        expect(await page.textContent("h1")).toBe(await page.textContent(".pages [aria-current]"));
      }),
    60_000,
  );

  it(
    "takes a paste of 200 x 200 numbers, and shows its beginning",
    () =>
      visit(async (page) => {
        const rows = Array.from({ length: 200 }, (_, n) =>
          Array.from({ length: 200 }, (_, c) => (n * c) % 7).join("\t"),
        );
        await fill(page, "#input", rows.join("\n"));
        await fill(page, "#target", Array.from({ length: 200 }, () => "1").join("\n"));
        await expect
          .poll(() => page.textContent("#step-softmax .truncation"))
          .toBe("The first 32 of 200 rows, 32 of 200 columns.");
        expect(await page.locator("#step-softmax .cell").count()).toBe(1024);
        expect((await page.textContent("#sample"))!).toMatch(/\n\.\.\. 20000 of \d+ characters are shown$/);
      }),
    40_000,
  );

  it.each(["curl", "Python"] as const)(
    "copies a request in %s that gives the answer that is shown",
    (language) =>
      visit(async (page) => {
        await page.click("#ask button");
        await page.locator(`input[value="${language}"]`).check();
        await page.click("#copy");
        await expect.poll(() => page.textContent("#copied")).toMatch(/Copied|Selected/);
        const code = (await page.textContent("#sample"))!;
        const { stdout } = await run(language === "curl" ? "bash" : "python3", ["-c", code]);
        await page.waitForSelector("#answer:not(:empty)");
        const answer = JSON.parse((await page.textContent("#answer"))!);
        expect(JSON.parse(stdout.replaceAll("'", '"'))).toEqual(answer);
      }),
  );

  it("copies a request in TypeScript that gives the answer that is shown", () =>
    visit(async (page) => {
      await page.click("#ask button");
      await page.waitForSelector("#answer:not(:empty)");
      await page.locator('input[value="TypeScript"]').check();
      const code = (await page.textContent("#sample"))!.replace(
        "console.log(await answer.json())",
        "console.log(await answer.text())",
      );
      const { stdout } = await run(process.execPath, ["--input-type=module-typescript", "-e", code]);
      expect(JSON.parse(stdout)).toEqual(JSON.parse((await page.textContent("#answer"))!));
    }));
});
