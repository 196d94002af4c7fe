/** Training, shared lessons and the comparison with the server. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../src/http/server/auth.ts";
import { crossEntropy } from "../../src/runtimes/node.ts";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, fill, OWN_CONTEXT, sampleOf, useVisits, violationsOf } from "./visit.ts";

const SCORES = [2, 1, 0, -1, 0.5, 0.25, 0.5, -0.5, 1, -1, 1, 0.75, -0.25, 0, 2];
const TARGET = { dtype: "int64", shape: [3], data: BigInt64Array.of(1n, 0n, 4n) } as const;

/** Returns the losses before and after steps, by the library alone. */
function lossesByLibrary(rate: number, steps: number): { losses: number[]; scores: number[] } {
  const data = Float32Array.from(SCORES);
  const losses: number[] = [];
  for (let step = 0; ; step++) {
    const input = { dtype: "float32", shape: [3, 5], data } as const;
    const { loss, gradInput } = crossEntropy(input, TARGET, { returnGrad: true });
    losses.push(loss!);
    if (step === steps) return { losses, scores: [...data] };
    for (const [index, slope] of gradInput!.data.entries()) data[index] = data[index]! - rate * slope;
  }
}

describe.skipIf(!HAS_CHROMIUM)("training in the playground", () => {
  const visit = useVisits(useService());
  const sentence = (page: Page): Promise<string | null> => page.textContent("#steps-sentence");
  const scores = async (page: Page): Promise<number[]> =>
    ((await sampleOf(page)).input as number[][]).flat().map(Math.fround);

  const openHash = (page: Page, hash: string): Promise<void> =>
    page.evaluate((text) => location.assign(text), hash);

  it("lowers the loss by a step, with the bits of the library", () =>
    visit(async (page) => {
      expect(await sentence(page)).toBe("No step yet: the loss is 1.285.");
      await page.click("#train-1");
      const { losses, scores: expected } = lossesByLibrary(1, 1);
      expect(losses[1]).toBeLessThan(losses[0]!);
      expect(await scores(page)).toEqual(expected);
      expect(await sentence(page)).toBe(`1 step: the loss went from 1.285 to ${losses[1]!.toPrecision(4)}.`);
    }));

  it.each([
    ["#train-10", 10, "no-preference"],
    ["#train-100", 100, "no-preference"],
    ["#train-100", 100, "reduce"],
  ] as const)("runs %s, with a rate of 0.5, and motion %s%s", (button, steps, motion) =>
    visit(async (page) => {
      await page.emulateMedia({ reducedMotion: motion });
      await page.fill("#learning_rate", "0.5");
      await page.click(button);
      const { losses, scores: expected } = lossesByLibrary(0.5, steps);
      const last = Number(losses.at(-1)!.toPrecision(4));
      await expect.poll(() => sentence(page)).toBe(`${steps} steps: the loss went from 1.285 to ${last}.`);
      expect(await scores(page)).toEqual(expected);
      const path = (await page.getAttribute("#steps-curve .line", "d"))!;
      expect(path.match(/[ML]/g)).toHaveLength(steps + 1);
      // Each step lowers the loss, and the picture's y axis points down.
      const heights = [...path.matchAll(/ ([\d.]+)/g)].map(([, y]) => Number(y));
      expect(heights).toEqual(heights.toSorted((one, other) => one - other));
    }, OWN_CONTEXT),
  );

  it.each([
    ["3.4e38", true, "#operation=cross_entropy&input=((3.4e38,0))&target=(1)&cell=(0,0)&v=1"],
    ["3.4e38 in nll_loss", true, "#operation=nll_loss&input=((3.4e38,0))&target=(0)&v=1"],
    ["-1 weighted by 1e307", true, "#operation=nll_loss&input=((-1,0))&target=(0)&weight=(1e307,1)&dtype=float64&reduction=sum&v=1"],
    ["-4 weighted by 4e307", true, "#operation=nll_loss&input=((-4,0))&target=(0)&weight=(4e307,1)&dtype=float64&reduction=sum&v=1"],
    ["1e308", false, "#operation=cross_entropy&input=((1e308,0))&target=(1)&cell=(0,0)&v=1"],
  ])("draws the curve of a score of %s with numbers, or not at all: %s", (_score, isDrawn, hash) =>
    visit(async (page) => {
      await openHash(page, hash);
      await page.waitForFunction(() => document.querySelectorAll("#step-input .score").length === 2);
      for (const picture of await page.locator("#curves svg").all())
        expect(await picture.innerHTML()).not.toMatch(/NaN|Infinity|∞/);
      expect(await page.locator("#score-curve svg").count()).toBe(isDrawn ? 1 : 0);
      if (!isDrawn)
        expect(await page.textContent("#score-sentence")).toBe("This score is too large for a curve.");
    }),
  ); // biome-ignore format: a link a line

  it.each([
    "#operation=cross_entropy&input=()&target=()&v=1",
    "#operation=cross_entropy&input=((),())&target=((),())&v=1",
    "#operation=nll_loss&input=(())&target=(-100)&v=1",
    "#operation=kl_div&input=()&target=()&v=1",
  ])("is not offered without a score: %s", (hash) =>
    visit(async (page) => {
      await openHash(page, hash);
      await page.waitForFunction(() => document.querySelectorAll("#step-input .score").length === 0);
      expect(await page.textContent("#training-note")).toBe("There is no score to change.");
      expect(await page.locator("#train-1").isDisabled()).toBe(true);
      expect(await page.locator("#curves").isHidden()).toBe(true);
      expect(await page.textContent("#problem, #link-problem")).toBe("");
    }),
  );

  it("is taken back, and begins again after a change by hand", () =>
    visit(async (page) => {
      const before = await scores(page);
      await page.click("#train-10");
      await expect.poll(() => sentence(page)).toMatch(/^10 steps/);
      await page.click("#train-reset");
      expect(await scores(page)).toEqual(before);
      expect(await sentence(page)).toBe("No step yet: the loss is 1.285.");
      expect(await page.locator("#train-reset").isDisabled()).toBe(true);
      await page.click("#train-1");
      await page.locator("#step-input .score").first().fill("9");
      expect(await sentence(page)).toMatch(/^No step yet/);
    }));

  it("stops a run at a change by hand", () =>
    visit(async (page) => {
      await page.click("#train-100");
      await page.locator("#step-input .score").first().fill("9");
      const stopped = await scores(page);
      await page.waitForTimeout(300);
      expect(await scores(page)).toEqual(stopped);
      expect(await sentence(page)).toMatch(/^No step yet/);
    }));

  it("says why there is none", () =>
    visit(async (page) => {
      await page.selectOption("#reduction", "none");
      expect(await page.textContent("#training-note")).toMatch(/^Training needs one loss/);
      expect(await page.locator("#curves").isVisible()).toBe(false);
      expect(await page.locator("#train-1").isDisabled()).toBe(true);
      await page.selectOption("#example", "log-softmax");
      expect(await page.textContent("#training-note")).toMatch(/^log_softmax has no loss/);
      await page.selectOption("#example", "rows");
      await page.locator("#step-input .score").first().fill("nan");
      await page.click("#train-1");
      expect(await page.textContent("#training-note")).toMatch(/not a finite number/);
    }));

  it("draws the loss over the score that has the focus, with its value and its slope", () =>
    visit(async (page) => {
      expect(await page.textContent("#score-title")).toBe("Loss over the score of row 0, class 1");
      await page.locator("[data-cell='gradient:2,3']").focus();
      expect(await page.textContent("#score-title")).toBe("Loss over the score of row 2, class 3");
      expect(await page.textContent("#score-sentence")).toBe(
        "At 0, the loss is 1.285 and its slope, the gradient, 0.0238.",
      );
      const x = async (): Promise<number> => Number(await page.getAttribute("#score-curve .mark", "cx"));
      const before = await x();
      await page.locator("#step-input .score").nth(13).focus();
      await page.keyboard.press("PageUp");
      expect(await x()).toBeGreaterThan(before);
    }));
});

describe.skipIf(!HAS_CHROMIUM)("a lesson's link", () => {
  const service = useService();
  const visit = useVisits(service);

  /** Opens a link as another person does. */
  async function openLink(page: Page, link: string): Promise<void> {
    await page.goto("about:blank");
    await page.goto(link);
    await page.waitForSelector("#step-input");
  }

  it("opens the same numbers, options, names, rate and score", () =>
    visit(async (page) => {
      await page.selectOption("#example", "cats");
      await page.fill("#learning_rate", "0.25");
      await page.selectOption("#reduction", "sum");
      await page.fill("#class_names", "cat, dog, a bird");
      await page.locator("#step-input .score").nth(4).fill("-inf");
      await page.click("#copy-link");
      await expect.poll(() => page.textContent("#link-copied")).toMatch(/^Copied|^Copy it/);
      const link = page.url();
      expect(link).toContain(
        "#operation=cross_entropy&input=((5,1,-1),(1,-Infinity,0.6),(-1,3,0.5))&target=(0,0,0)",
      );
      const [request, gradient] = [await sampleOf(page), await cells(page, "gradient")];
      await openLink(page, link);
      expect(await sampleOf(page)).toEqual(request);
      expect(await cells(page, "gradient")).toEqual(gradient);
      expect(await page.inputValue("#learning_rate")).toBe("0.25");
      expect(await page.locator("#step-softmax th[scope=col]").allTextContents()).toEqual([
        "cat",
        "dog",
        "a bird",
        "sum",
      ]);
      expect(await page.textContent("#score-title")).toBe("Loss over the score of row 1, dog");
      expect(await page.textContent("#link-problem")).toBe("");
    }));

  it("is in the address after each change, short for an example, and works in the same tab", () =>
    visit(async (page) => {
      await page.selectOption("#example", "tokens");
      await expect.poll(() => page.url()).toMatch(/#example=tokens&v=1$/);
      await page.evaluate(() => {
        location.hash = "#operation=log_softmax&input=(1,2,3)&dim=0&return_grad=false&v=1";
      });
      await expect.poll(() => cells(page, "input")).toEqual(["1", "2", "3"]);
      expect(await page.inputValue("#operation")).toBe("log_softmax");
      expect(await page.locator("#return_grad").isChecked()).toBe(false);
    }));

  it.each([
    ["without its end", "#example=cats"],
    ["of an unknown example", "#example=birds&v=1"],
    ["with a list that is not closed", "#operation=log_softmax&input=((1,2&v=1"],
    ["of numbers that lossd refuses", "#operation=cross_entropy&input=((1,2))&target=(7)&v=1"],
    [
      "with more brackets than the stack has room for",
      `#operation=log_softmax&input=${"(".repeat(20_000)}1${")".repeat(20_000)}&v=1`,
    ],
    ["of lists of different lengths", "#operation=log_softmax&input=((1,2),(3))&v=1"],
  ])("%s gives the first example and a sentence", (_name, hash) =>
    visit(async (page) => {
      await openLink(page, `${service().url}/${hash}`);
      expect(await page.textContent("#link-problem")).toMatch(
        /^This link is damaged, so here is the first example\. \(.+\)$/,
      );
      expect(await page.textContent("#loss")).toBe("1.676");
      expect(await page.textContent("#problem")).toBe("");
      expect(await violationsOf(page)).toEqual([]);
    }),
  );

  it.each([
    "#example=one-hot&operation=log_softmax&input=((1,2))&v=1",
    "#example=one-hot&operation=cross_entropy&input=((1,2))&target=(0)&v=1",
  ])("that names an example of one-hot rows opens another request: %s", (hash) =>
    visit(async (page) => {
      await openLink(page, `${service().url}/${hash}`);
      await expect.poll(() => cells(page, "input")).toEqual(["1", "2"]);
      expect(await page.textContent("#problem")).toBe("");
      expect(await page.locator(".ways").count()).toBe(0);
    }),
  );

  it("is not made for too many numbers", () =>
    visit(async (page) => {
      await fill(
        page,
        "#input",
        Array.from({ length: 90 }, () => Array.from({ length: 90 }, () => 1).join(" ")).join("\n"),
      );
      await fill(page, "#target", Array.from({ length: 90 }, () => 0).join(" "));
      await page.click("#copy-link");
      expect(await page.textContent("#link-copied")).toBe("These numbers are too many for a link.");
      expect(new URL(page.url()).hash).toBe("");
    }));
});

describe.skipIf(!HAS_CHROMIUM)("asking the server", () => {
  const service = useService();
  const guarded = useService({ tokens: digestTokens(["sesame"]) });
  const visit = useVisits(service);
  const ask = (page: Page): Promise<void> => page.click("#ask button");
  const verdict = (page: Page): Promise<string | null> => page.textContent("#server-verdict");

  it.each(["nested", "flat", "base64"])("finds the same bits, in the format %s", (format) =>
    visit(async (page) => {
      await page.locator("#more > summary").click();
      await page.selectOption("#format", format);
      await page.selectOption("#dtype", "float64");
      await ask(page);
      await expect.poll(() => verdict(page)).toBe("The server’s numbers are the same, bit by bit.");
      expect(await page.textContent("#answer")).toContain("grad_input");
      await page.fill("#label_smoothing", "0.1");
      expect(await verdict(page)).toBe("");
      expect(await page.locator("#answer").isVisible()).toBe(false);
    }),
  );

  it("finds the same bits for a temperature of 17 digits", () =>
    visit(async (page) => {
      await page.locator("#more > summary").click();
      await page.fill("#temperature", "10000000000000000");
      expect(await page.textContent("#problem")).toBe("");
      await ask(page);
      await expect.poll(() => verdict(page)).toBe("The server’s numbers are the same, bit by bit.");
    }));

  it("finds the same bits for scores of -0, and shows its sign", () =>
    visit(async (page) => {
      await page.selectOption("#operation", "nll_loss");
      await page.selectOption("#reduction", "none");
      await page.locator("#return_grad").setChecked(false);
      await fill(page, "#input", "-0 -1\n0 -1");
      await fill(page, "#target", "0 0");
      await ask(page);
      await expect.poll(() => verdict(page)).toBe("The server’s numbers are the same, bit by bit.");
      expect(JSON.parse((await page.textContent("#answer"))!).losses).toEqual([0, -0]);
      await page.locator("#step-input .score").first().focus();
      expect(await page.textContent("#explanation")).toBe("input[0, 0] = −0");
      expect(await page.locator("#step-input .score").first().inputValue()).toBe("−0");
      // A change of another score writes all of them again.
      await page.locator("#step-input .score").nth(1).fill("-2");
      expect(await page.inputValue("#input")).toContain("-0.0");
    }));

  it("sends nothing before that", () =>
    visit(async (page) => {
      const sent: string[] = [];
      page.on("request", (request) => sent.push(request.url()));
      await page.locator("#step-input .score").first().fill("3");
      await page.click("#train-10");
      await page.selectOption("#example", "pixels");
      expect(sent).toEqual([]);
      await ask(page);
      await expect.poll(() => sent).toEqual([`${service().url}/v1/cross_entropy`]);
    }));

  it("names the first number that differs", () =>
    visit(async (page) => {
      await page.route("**/v1/*", async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...(await response.json()), loss: 1.5 } });
      });
      await ask(page);
      await expect
        .poll(() => verdict(page))
        .toMatch(/^The server’s numbers differ: loss is 1\.28\d+ here, and 1\.5 there\.$/);
    }, OWN_CONTEXT));

  it("shows what the server refuses, with the digits as typed", () =>
    visit(async (page) => {
      await page.fill("#ignore_index", "9007199254740993");
      const request = page.waitForRequest("**/v1/*");
      await ask(page);
      expect((await request).postData()).toContain('"ignore_index":9007199254740993');
      await expect
        .poll(() => verdict(page))
        .toBe("The server refuses it, too (invalid_request): expected at most 9007199254740992");
    }));

  it("agrees on what is refused, and asks for no request that cannot be read", () =>
    visit(async (page) => {
      await fill(page, "#target", "[1, 7, 4]");
      await ask(page);
      await expect
        .poll(() => verdict(page))
        .toMatch(/^The server refuses it, too \(target_out_of_bounds\): Target 7 is out of bounds/);
      await fill(page, "#target", "[1, x, 4]");
      await page.locator('input[value="Python"]').check();
      expect(await page.textContent("#sample")).toBe("");
      await ask(page);
      expect(await verdict(page)).toBe("");
    }));

  it("asks for a token where the server does, and sends it", () =>
    visit(
      async (page) => {
        expect(await page.textContent("#loss")).toBe("1.285");
        await ask(page);
        await expect.poll(() => verdict(page)).toMatch(/^The server refuses it \(unauthorized\)/);
        await page.fill("#token", "sesame");
        await page.keyboard.press("Enter");
        await expect.poll(() => verdict(page)).toBe("The server’s numbers are the same, bit by bit.");
        expect(await page.textContent("#sample")).toContain("Bearer $TOKEN");
        expect(await page.textContent("#sample")).not.toContain("sesame");
        expect(page.url()).not.toContain("sesame");
      },
      {},
      guarded().url,
    ));

  it("says that a header cannot carry a token, and sends nothing", () =>
    visit(async (page) => {
      const sent: string[] = [];
      page.on("request", (request) => sent.push(request.url()));
      await page.locator("#token-box summary").click();
      await page.fill("#token", "sesame→");
      await ask(page);
      await expect.poll(() => verdict(page)).toBe("The token has a character that a header cannot carry.");
      expect(sent).toEqual([]);
    }));

  it.each([
    [
      "503 of a proxy",
      { status: 503, contentType: "text/html", body: "<h1>busy</h1>" },
      "has status 503 and is not from lossd",
    ],
    ["null", { status: 200, json: null }, "has status 200 and is not from lossd"],
    ["an object of another kind", { status: 200, json: { loss: { a: 1 } } }, "has status 200 and is not"],
    ["an empty 502", { status: 502, body: "" }, "has status 502 and is not from lossd"],
    ["nothing", undefined, ""],
  ])("says that the server does not respond where %s comes", (_name, answer, detail) =>
    visit(async (page) => {
      await page.route("**/v1/*", (route) => (answer === undefined ? route.abort() : route.fulfill(answer)));
      await ask(page);
      await expect.poll(() => verdict(page)).toMatch(/^The server does not respond: /);
      expect(await verdict(page)).toContain(detail);
      expect(await page.textContent("#loss")).toBe("1.285");
    }, OWN_CONTEXT),
  );

  it("is not possible, and the page says so, where the kernels do not load", () =>
    visit(async (page) => {
      await page.route("**/kernel*.wasm", (route) => route.fulfill({ status: 404, body: "" }));
      await page.reload();
      await expect
        .poll(() => page.textContent("#problem"))
        .toMatch(
          /^The kernels, which compute, cannot be loaded: .*expected the kernels, got HTTP status 404$/,
        );
      expect(await page.textContent("#steps")).toBe("");
      expect(await violationsOf(page)).toEqual([]);
    }, OWN_CONTEXT));

  it("begins when the script has arrived, and the page says so until then", () =>
    visit(async (page) => {
      await page.route("**/page.js", (route) => route.abort());
      await page.reload();
      expect(await page.textContent("#steps")).toMatch(/^Loading\. If this stays, load the page again/);
      await page.unroute("**/page.js");
      await page.reload();
      await page.waitForSelector("#step-input");
      expect(await page.textContent("#steps")).not.toContain("Loading");
    }, OWN_CONTEXT));

  it("works offline but for that", () =>
    visit(async (page) => {
      await page.context().setOffline(true);
      await page.locator("#step-input .score").first().fill("3");
      await page.selectOption("#example", "teacher");
      await page.click("#train-1");
      expect(await page.textContent("#steps-sentence")).toMatch(/^1 step/);
      await ask(page);
      await expect.poll(() => verdict(page)).toMatch(/^The server does not respond/);
    }, OWN_CONTEXT));
});
