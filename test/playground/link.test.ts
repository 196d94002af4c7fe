/** Lessons as links: what is written is read back, and what is damaged is refused with a reason. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import type { Lesson } from "../../playground/request/link.ts";
import { hashOf, LinkError, lessonOf } from "../../playground/request/link.ts";
import type { Body, Operation } from "../../playground/request/request.ts";

const NOTHING = { example: undefined, classNames: "", learningRate: "", cell: undefined };

const own = (operation: Operation, body: Body, more: Partial<Lesson> = {}): Lesson => ({
  ...NOTHING,
  request: { operation, body },
  ...more,
});

describe("a lesson's link", () => {
  it("has the API's names, and lists in characters that links do not escape", () => {
    const lesson = own(
      "cross_entropy",
      { input: [[2, "-Infinity"], [0.5, 1e-7]], target: [1, 0], reduction: "sum", return_grad: true },
      { classNames: "cat, großer Hund", learningRate: "0.5", cell: [1, 0] },
    ); // biome-ignore format: one body
    expect(hashOf(lesson)).toBe(
      "#operation=cross_entropy&input=((2,-Infinity),(0.5,1e-7))&target=(1,0)&reduction=sum&return_grad=true&classes=cat,+gro%C3%9Fer+Hund&learning_rate=0.5&cell=(1,0)&v=1",
    );
  });

  it.each(EXAMPLES.map((example) => [example.title, example] as const))(
    "opens %s again",
    (_title, example) => {
      const { operation, input, target, options, classNames = "" } = example;
      const body = { input, ...(target !== undefined && { target }), return_grad: true, ...options };
      const changed = { ...NOTHING, example, request: { operation, body }, classNames };
      expect(lessonOf(hashOf(changed)!)).toEqual(changed);
      const unchanged = { ...NOTHING, example, request: undefined, classNames };
      expect(hashOf(unchanged)).toBe(`#example=${example.slug}&v=1`);
      expect(lessonOf(hashOf(unchanged)!)).toEqual(unchanged);
    },
  );

  it("reads back every number, shape, name and switch", () => {
    const number = fc.oneof(
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        // Larger integers are read as bigints.
        .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
      fc.constantFrom("NaN", "Infinity", "-Infinity", 2n ** 60n),
    );
    const row = fc.array(number, { minLength: 1, maxLength: 3 });
    const input = fc.oneof(number, row, fc.array(row, { minLength: 1, maxLength: 2 }));
    const names = fc.string({ maxLength: 20 });
    fc.assert(
      fc.property(input, names, fc.boolean(), (numbers, classNames, isGrad) => {
        const body = { input: numbers, dim: -1, ...(isGrad && { return_grad: true }) };
        const lesson = own("log_softmax", body, { classNames });
        expect(lessonOf(hashOf(lesson)!)).toEqual(lesson);
      }),
      { numRuns: 500 },
    );
  });

  it("rounds the numbers of options to doubles, and keeps the digits of integer options", () => {
    const hash = (options: string): string =>
      `#operation=cross_entropy&input=((1,2))&target=(0)&${options}&v=1`;
    const bodyOf = (options: string): Body => lessonOf(hash(options))!.request!.body;
    const digits = "9007199254740993";
    for (const name of ["temperature", "softcap", "label_smoothing", "lse_square_scale"])
      expect(bodyOf(`${name}=${digits}`)[name], name).toBe(Number(digits));
    for (const name of ["ignore_index", "dim", "shift"])
      expect(bodyOf(`${name}=${digits}`)[name], name).toBe(BigInt(digits));
  });

  it("keeps the sign of -0", () => {
    const lesson = own("log_softmax", { input: [-0, 0], temperature: -0 });
    expect(hashOf(lesson)).toBe(
      "#operation=log_softmax&input=(-0.0,0)&temperature=-0.0&return_grad=false&v=1",
    );
    expect(lessonOf(hashOf(lesson)!)).toEqual(lesson);
  });

  it("is not made of more than 8,000 characters", () => {
    const input = Array.from({ length: 4000 }, () => 1);
    expect(hashOf(own("log_softmax", { input }))).toBeUndefined();
    expect(hashOf(own("log_softmax", { input: input.slice(0, 3900) }))!.length).toBeLessThanOrEqual(8000);
  });
});

describe("a hash", () => {
  it.each(["", "#"])("%j is no lesson", (hash) => {
    expect(lessonOf(hash)).toBeUndefined();
  });

  it.each([
    ["#steps", "its end is missing, or another version made it"],
    ["#example=cats", "its end is missing, or another version made it"],
    ["#example=cats&v=2", "its end is missing, or another version made it"],
    ["#v=1", "it names no operation"],
    ["#example=birds&v=1", "there is no example birds"],
    ["#example=cats&input=(1)&v=1", "it names no operation"],
    ["#operation=backward&input=(1)&v=1", "there is no operation backward"],
    ["#operation=log_softmax&v=1", "it has no input"],
    ["#operation=log_softmax&input=(1,x)&v=1", "input is (1,x)"],
    ["#operation=log_softmax&input=((1,2&v=1", "input is ((1,2"],
    ["#operation=log_softmax&input=(1)&target=(0)&v=1", "log_softmax has no target"],
    ["#operation=log_softmax&input=(1)&dim=one&v=1", "dim is one"],
    ["#operation=log_softmax&input=(1)&return_grad=maybe&v=1", "return_grad is maybe"],
    ["#operation=log_softmax&input=(1)&dtype=int8&v=1", "dtype is int8"],
    ["#operation=log_softmax&input=(1)&cell=(a)&v=1", "cell is (a)"],
    ["#operation=log_softmax&input=(1)&learning_rate=fast&v=1", "learning_rate is fast"],
    [`#example=${"x".repeat(99)}&v=1`, `there is no example ${"x".repeat(40)}...`],
    ["#%E0%A4%A&v=1", "it names no operation"],
  ])("%s is refused", (hash, reason) => {
    expect(() => lessonOf(hash)).toThrow(new LinkError(reason));
  });

  it("of any characters is a lesson, or is refused with a reason", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        for (const hash of [`#${text}`, `#${text}&v=1`, `#operation=log_softmax&input=${text}&v=1`]) {
          try {
            lessonOf(hash);
          } catch (error) {
            expect(error).toBeInstanceOf(LinkError);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
