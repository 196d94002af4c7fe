/** The playground's controls of the options in chromium. Skipped without chromium. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { shortNumber } from "../../playground/tensors/arithmetic.ts";
import { HAS_CHROMIUM } from "../support/chromium.ts";
import { useService } from "../support/service.ts";
import { cells, choose, fill, useVisits } from "./visit.ts";

const BASE = { input: [[[2, -1], [0.5, 1.25]]], target: [[1, 0]] }; // biome-ignore format: two rows
const SPARSE = { input: [[2, -1, 0.3]], target: [[0, 2]], target_weight: [[0.7, 0.3]] };

interface Effect {
  /** Other fields of the request. */
  readonly base?: Readonly<Record<string, unknown>>;
  readonly value: unknown;
  /** Step that shows the effect, and the member of the response with its numbers. */
  readonly step: string;
  readonly member: string;
}

/** An effect of dim and of each option that the fold holds, but for the encoding of the response. */
const EFFECTS: Readonly<Record<string, Effect>> = {
  dim: { value: -1, step: "gradient", member: "grad_input" },
  shift: { base: { dim: -1 }, value: 1, step: "gradient", member: "grad_input" },
  dtype: { value: "bfloat16", step: "gradient", member: "grad_input" },
  temperature: { value: 0.5, step: "gradient", member: "grad_input" },
  softcap: { value: 2, step: "gradient", member: "grad_input" },
  sample_weight: { value: [[1, 3]], step: "gradient", member: "grad_input" },
  lse_square_scale: { value: 0.1, step: "gradient", member: "grad_input" },
  grad_output: { value: 3, step: "gradient", member: "grad_input" },
  return_z_loss: { base: { lse_square_scale: 0.1 }, value: true, step: "z-loss", member: "z_loss" },
  return_predictions: { value: true, step: "predictions", member: "predictions" },
  return_correct: { value: true, step: "correct", member: "correct" },
  target_weight: {
    base: SPARSE,
    value: [[0.5, 0.25]],
    step: "gradient",
    member: "grad_input",
  },
  return_grad_target: {
    base: { target: [[[0, 1], [0.5, 0.5]]] }, // biome-ignore format: two rows
    value: true,
    step: "gradient-target",
    member: "grad_target",
  },
  return_grad_target_weight: {
    base: SPARSE,
    value: true,
    step: "grad-target-weight",
    member: "grad_target_weight",
  },
};

/** Fields whose effects other tests show. */
const OTHER_FIELDS = [
  ...["input", "target", "weight", "ignore_index", "label_smoothing", "reduction", "size_average", "reduce"],
  ...["return_grad", "format", "non_finite"],
];

/** Sets a control as a person does. */
async function setField(page: Page, field: string, value: unknown): Promise<void> {
  const control = page.locator(`#${field}`);
  const kind = await control.evaluate((one) => one.getAttribute("type") ?? one.localName);
  if (kind === "checkbox") await control.check();
  else if (kind === "select") await control.selectOption(String(value));
  else await fill(page, `#${field}`, JSON.stringify(value));
}

describe.skipIf(!HAS_CHROMIUM)("the options of the playground in chromium", () => {
  const service = useService();
  const visit = useVisits(service);

  it("has a control for every field of the API, deprecated ones too, and each has an effect", () =>
    visit(async (page) => {
      const { components } = (await service().get("/openapi.json")).json;
      for (const operation of ["LogSoftmax", "NllLoss", "KlDiv", "CrossEntropy"]) {
        for (const field of Object.keys(components.schemas[`${operation}Request`].properties))
          expect(await page.locator(`#${field}`).count(), field).toBe(1);
      }
      const fields = Object.keys(components.schemas.CrossEntropyRequest.properties);
      expect([...Object.keys(EFFECTS), ...OTHER_FIELDS].sort()).toEqual(fields.sort());
      await page.locator("#deprecated summary").click();
      await page.selectOption("#size_average", "false");
      expect(await page.textContent("#hop-result .arrow")).toBe("sum");
      expect(await page.textContent("#remarks .warning")).toContain("size_average and reduce");
      await choose(page, "One-hot or index");
      await page.locator("#more summary").click();
      await page.locator("#return_grad_target").check();
      await page.waitForSelector("#step-gradient-target");
      expect((await cells(page, "gradient-target"))[1]).toBe("0.5248");
      await page.fill("#label_smoothing", "0.5");
      await expect.poll(async () => (await cells(page, "gradient-target"))[1]).toBe("0.2624");
      await page.locator("#label_smoothing").fill("");
      await page.locator("#label_smoothing").pressSequentially("1e");
      await expect.poll(() => page.textContent("#error-label_smoothing")).toBe("This is not a number.");
    }));

  it.each(Object.entries(EFFECTS))("shows the effect of %s with the server's numbers", (name, effect) =>
    visit(async (page) => {
      const { base = {}, value, step, member } = effect;
      const body = { input: BASE.input, target: BASE.target, return_grad: true, ...base };
      await page.locator("#more summary").click();
      for (const [field, text] of Object.entries(body))
        if (field !== "return_grad") await setField(page, field, text);
      const shown = () => cells(page, step);
      const numbersOf = async (sent: object): Promise<string[]> => {
        const { json } = await service().post("/v1/cross_entropy", sent);
        return [json[member]].flat(5).map((number) => shortNumber(Number(number)));
      };
      if (!name.startsWith("return_")) {
        const before = await numbersOf(body);
        await expect.poll(shown).toEqual(before);
        expect(before).not.toEqual(await numbersOf({ ...body, [name]: value }));
      }
      await setField(page, name, value);
      await expect.poll(shown).toEqual(await numbersOf({ ...body, [name]: value }));
      expect(await page.textContent("#problem")).toBe("");
      if (name !== "dim") expect(await page.textContent("#more-count")).toMatch(/^ \(\d set\)$/);
    }),
  );

  it("opens the fold of an option that is refused or that an example sets, and counts its options", () =>
    visit(async (page) => {
      const isOpen = (): Promise<boolean> =>
        page.locator("#more").evaluate((fold) => (fold as HTMLDetailsElement).open);
      await page.waitForSelector("#loss");
      expect(await isOpen()).toBe(false);
      expect(await page.textContent("#more > summary")).toBe("More options");
      await page.selectOption("#reduction", "none");
      await page.locator("#return_grad").check();
      await page.waitForSelector("#error-grad_output:not(:empty)");
      expect(await isOpen()).toBe(true);
      await page.locator("#more > summary").click();
      await choose(page, "Next tokens (dim, shift)");
      expect(await isOpen()).toBe(true);
      expect(await page.textContent("#more > summary")).toBe("More options (1 set)");
      await page.locator("#more > summary").click();
      await choose(page, "Three pictures of cats");
      expect(await isOpen()).toBe(false);
      expect(await page.textContent("#more > summary")).toBe("More options");
      await page.locator("#temperature").evaluate((control: HTMLInputElement) => {
        control.value = "0";
        control.dispatchEvent(new Event("input", { bubbles: true }));
      });
      await expect.poll(() => page.textContent("#error-temperature")).toContain("positive and finite");
      expect(await isOpen()).toBe(true);
    }));
});
