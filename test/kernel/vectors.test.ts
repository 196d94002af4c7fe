/** Numbers read in groups by vectors: the same as one by one, in numbers and in refusals. Text in pieces of one byte never holds a group. */
import { expect, it } from "vitest";
import { uniform } from "../../bench/measure.ts";
import { Problem } from "../../src/problems.ts";
import { FORM_COUNT, randomBody, randomNumber } from "../wire/json/random-bodies.ts";
import type { Pieces } from "../wire/json/reading.ts";
import { inRegion, kernel, readNumbers, scan } from "../wire/json/reading.ts";

/** All that a body gives, with the bits of its numbers, or how it is refused. */
function outcome(body: string, pieces: Pieces): string {
  return inRegion((region) => {
    try {
      const { value, numberSpans } = scan(region, body, "contract", pieces);
      const tensors = numberSpans.map(({ address, length, ...rest }) => ({
        ...rest,
        length,
        bits: Buffer.from(kernel.u8.subarray(address, address + 8 * length)).toString("hex"),
      }));
      return JSON.stringify({ value, tensors });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return JSON.stringify([error.code, error.message, error.errors]);
    }
  });
}

it("reads or refuses 3,000 random bodies of ranks 1 to 3 as it does byte by byte, whole and cut anywhere", () => {
  const random = uniform(17);
  for (let k = 0; k < 3_000; k++) {
    const body = randomBody(random);
    const want = outcome(body, { size: 1 });
    const cuts: Pieces[] = [
      { size: Infinity },
      { at: Math.floor(random() * body.length) },
      { size: 20 + Math.floor(random() * 200) },
    ];
    for (const pieces of cuts) {
      const got = outcome(body, pieces);
      if (got !== want) expect.fail(`${body} in ${JSON.stringify(pieces)}:\n${got}\ninstead of\n${want}`);
    }
  }
});

it("gives the double of JSON.parse for 300,000 random numbers of 15 forms, each form for itself and mixed", () => {
  const random = uniform(18);
  for (let form = 0; form <= FORM_COUNT; form++) {
    const isMixed = form === FORM_COUNT;
    const texts = Array.from({ length: isMixed ? 150_000 : 10_000 }, () =>
      randomNumber(random, isMixed ? undefined : form),
    );
    const numbers = readNumbers(texts.join());
    const wrong = texts.findIndex((text, at) => !Object.is(numbers[at], JSON.parse(text)));
    expect(wrong < 0 ? "none" : `${texts[wrong]} read as ${numbers[wrong]}`).toBe("none");
  }
});
