/** Requests computed in the page, compared with the server's responses. */
import "../../src/runtimes/node.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differenceOf } from "../../playground/request/comparison.ts";
import { compute } from "../../playground/request/compute.ts";
import { EXAMPLES } from "../../playground/request/examples.ts";
import type { Body, Operation } from "../../playground/request/request.ts";
import type { Members } from "../../playground/request/response.ts";
import { membersOf } from "../../playground/request/response.ts";
import { toJson } from "../../playground/tensors/tensor-text.ts";
import { bfloat16Bits, float32Text, Refusal } from "../../playground/tensors/typed-arrays.ts";
import { useService } from "../support/service.ts";

const service = useService();

async function expectSame(operation: Operation, body: Body): Promise<void> {
  const { status, json } = await service().post(`/v1/${operation}`, toJson(body));
  expect(status, json.detail).toBe(200);
  const own = compute(operation, body);
  expect(differenceOf(own, membersOf(json)!)).toBeUndefined();
  for (const format of ["flat", "base64"]) {
    const other = (await service().post(`/v1/${operation}`, toJson({ ...body, format }))).json;
    expect(differenceOf(own, membersOf(other)!), format).toBeUndefined();
  }
}

describe("a response of the page is the server's, member by member", () => {
  it.each(EXAMPLES.map((example) => [example.title, example] as const))("for %s", (_title, example) => {
    const { operation, input, target, options } = example;
    return expectSame(operation, {
      input,
      ...(target !== undefined && { target }),
      return_grad: true,
      ...options,
    });
  });

  it.each<[Operation, Body]>([
    ["cross_entropy", { target: [1, 0], weight: [1, 0.3, 2], label_smoothing: 0.1, reduction: "sum" }],
    [
      "cross_entropy",
      { target: [1, 0], sample_weight: [0.1, 3], lse_square_scale: 0.1, return_z_loss: true },
    ],
    ["cross_entropy", { target: [1, 1], ignore_index: 1 }],
    [
      "cross_entropy",
      {
        target: [
          [0.1, 0.2, 0.7],
          [1, 0, 0],
        ],
        return_grad_target: true,
        return_predictions: true,
      },
    ],
    [
      "cross_entropy",
      {
        target: [
          [0, 1],
          [2, 0],
        ],
        target_weight: [
          [0.3, 0.7],
          [1, 0.1],
        ],
        return_grad_target_weight: true,
      },
    ],
    ["cross_entropy", { target: [1, 0], temperature: 0.3, softcap: 3, return_correct: true }],
    ["nll_loss", { target: [1, 0], reduction: "none", grad_output: [0.1, -3] }],
    [
      "log_softmax",
      {
        dim: -1,
        grad_output: [
          [1, 0, 0.1],
          [0, 0.3, 1],
        ],
      },
    ],
    ["log_softmax", { dim: 1, top_k: 2, return_lse: true, return_entropy: true, return_grad: false }],
    ["log_softmax", { dim: 1, index: [[0], [2]], return_grad: false }],
    [
      "kl_div",
      {
        target: [
          [0.1, 0.2, 0.7],
          [1, 0, 0],
        ],
        reduction: "batchmean",
      },
    ],
    [
      "kl_div",
      {
        target: [
          [0.1, 0.2, 0.7],
          [1, 0, 0],
        ],
        from_logits: true,
        temperature: 2,
        return_grad_target: true,
      },
    ],
  ])("for %s with %j, in every dtype that it has", async (operation, body) => {
    const input = [
      [0.1, -1.7, 2.3],
      [1e-9, 40, -3.3],
    ];
    const dtypes =
      operation === "kl_div" ? [undefined] : [undefined, "float64", "float32", "float16", "bfloat16"];
    for (const dtype of dtypes)
      await expectSame(operation, {
        input,
        return_grad: true,
        ...body,
        ...(dtype !== undefined && { dtype }),
      });
  });

  it("for integers of 2^53", async () => {
    for (const index of [2n ** 53n, -(2n ** 53n)])
      await expectSame("cross_entropy", { input: [[1, 2], [3, 4]], target: [index, 1], ignore_index: index }); // biome-ignore format: one body
  });

  it("for special values, scalars and empty lists", async () => {
    await expectSame("cross_entropy", {
      input: [
        ["-Infinity", 1],
        ["NaN", 0],
      ],
      target: [0, 1],
      reduction: "none",
    });
    await expectSame("cross_entropy", { input: [[3e38, -3e38]], target: [1], return_grad: true });
    await expectSame("log_softmax", { input: 3, dim: 0 });
    await expectSame("log_softmax", { input: [], dim: 0 });
    await expectSame("log_softmax", { input: [[1, 2]] });
  });
});

describe("a request that the server rejects is refused in the page with its code, place and words", () => {
  const rejected: [Operation, Body][] = [
    [
      "cross_entropy",
      {
        input: [
          [1, 2],
          [3, 4],
        ],
        target: [1, 7],
      },
    ],
    [
      "cross_entropy",
      {
        input: [
          [1, 2],
          [3, 4],
        ],
        target: [1, 0.5],
      },
    ],
    ["cross_entropy", { input: [[1, 2], [3]], target: [1, 0] }],
    [
      "cross_entropy",
      {
        input: [
          [1, 2],
          [3, [4]],
        ],
        target: [1, 0],
      },
    ],
    ["cross_entropy", { input: [[1, 2], 3], target: [1, 0] }],
    ["cross_entropy", { input: [[1, 2]], target: [1], label_smoothing: 2 }],
    ["cross_entropy", { input: [[1, 2]], target: [1], temperature: 0 }],
    ["cross_entropy", { input: [[1, 2]], target: [1], weight: [1] }],
    ["cross_entropy", { input: [[1, 2]], target: [1], reduction: "most" }],
    [
      "cross_entropy",
      {
        input: [
          [1, 2],
          [3, 4],
        ],
        target: [1, 0],
        reduction: "none",
        return_grad: true,
      },
    ],
    ["nll_loss", { input: [[1, 2]], target: [[1]] }],
    ["log_softmax", { input: [[1, 2]], dim: 2 }],
    ["kl_div", { input: [[1, 2]], target: [[1]] }],
    ["log_softmax", { input: [[[[[[[[[1]]]]]]]]] }],
    ["cross_entropy", { input: [[1, 2]], target: [2n ** 53n] }],
    ["cross_entropy", { input: [[1, 2]], target: [2n ** 53n + 1n] }],
    ["cross_entropy", { input: [[1, 2]], target: [-(2n ** 53n) - 1n] }],
    ["cross_entropy", { input: [[1, 2]], target: [1e300] }],
    ["cross_entropy", { input: [[1, 2]], target: [1], ignore_index: 2n ** 53n + 1n }],
    ["cross_entropy", { input: [[1, 2]], target: [1], ignore_index: 2n ** 63n }],
    ["cross_entropy", { input: [[1, 2]], target: [1], ignore_index: -(2n ** 63n) }],
    ["cross_entropy", { input: [[1, 2]], target: [1], ignore_index: 1e16 }],
    ["cross_entropy", { input: [[1, 2]], target: [1], dim: 2n ** 53n }],
    ["cross_entropy", { input: [[1, 2]], target: [1], dim: -(2n ** 60n) }],
    ["cross_entropy", { input: [[1, 2]], target: [1], shift: 2n ** 60n }],
    ["cross_entropy", { input: [[1, 2]], target: [1], shift: -(2n ** 60n) }],
    ["log_softmax", { input: [[1, 2]], top_k: 2n ** 60n }],
    ["log_softmax", { input: [[1, 2]], index: [[2n ** 53n + 1n]] }],
  ];
  it.each(rejected.map(([operation, body]) => [operation, toJson(body), body] as const))(
    "%s of %s",
    async (operation, _json, body) => {
      const { json } = await service().post(`/v1/${operation}`, toJson(body));
      const { pointer, detail } = json.errors[0];
      const refused = (): Body => compute(operation, body);
      expect(refused).toThrow(Refusal);
      try {
        refused();
      } catch (error) {
        const { code, field, at, message } = error as Refusal;
        expect([code, ["", field, ...at].join("/"), message]).toEqual([json.code, pointer, detail]);
      }
    },
  );

  it.each([
    ["shift", -1],
    ["shift", 0.5],
    ["dim", 0.5],
  ])("%s of %s, by the library's words", (field, value) => {
    const body = { input: [[1, 2]], target: [1], [field]: value };
    expect(() => compute("cross_entropy", body)).toThrow(/^expected an integer/);
  });
});

describe("numbers", () => {
  it("float32 are written with their bits in at most 9 digits, for every power of two and random ones", () => {
    const powers = Array.from({ length: 277 }, (_, k) => 2 ** (k - 149));
    const random = fc.sample(fc.float({ noNaN: true, noDefaultInfinity: true }), { numRuns: 5000, seed: 1 });
    for (const value of [...powers, ...random, 0, -0]) {
      const text = float32Text(value) as number;
      expect(Object.is(Math.fround(text), value), String(value)).toBe(true);
      expect(Number(text.toPrecision(9)) - text).toBe(0);
    }
    expect([0.1, 1 / 3, 16777216].map(Math.fround).map(float32Text)).toEqual([0.1, 0.33333334, 16777216]);
    expect([NaN, Infinity, -Infinity].map(float32Text)).toEqual(["NaN", "Infinity", "-Infinity"]);
  });

  it("doubles are rounded to bfloat16 once, ties to even", () => {
    const one = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
    for (const low of [0x3f80, 0x3f81, 0x0001, 0x0080, 0x7f00]) {
      const [a, b] = [one(low), one(low + 1)];
      const middle = (a + b) / 2;
      const even = low % 2 === 0 ? low : low + 1;
      const near = middle * 2 ** -40;
      for (const sign of [1, -1]) {
        const bits = (value: number): number => bfloat16Bits(sign * value) & 0x7fff;
        expect([bits(a), bits(middle), bits(middle + near), bits(middle - near)]).toEqual([
          low,
          even,
          low + 1,
          low,
        ]);
      }
    }
    expect([Infinity, -Infinity, 3.4e38].map(bfloat16Bits)).toEqual([0x7f80, 0xff80, 0x7f80]);
    expect(bfloat16Bits(NaN) & 0x7fff).toBeGreaterThan(0x7f80);
  });
});

describe("a difference", () => {
  it.each<[Body, Members, string | undefined]>([
    [{ loss: 1.5 }, { loss: 1.5 }, undefined],
    [{ loss: 1.5 }, { loss: 1.25 }, "loss is 1.5 here, and 1.25 there."],
    [{ loss: 0 }, { loss: -0 }, "loss is 0 here, and −0 there."],
    [{ loss: 0.27539063 }, { loss: 0.27539062 }, undefined],
    [
      { loss: 0.1234567891234 },
      { loss: 0.1234567891235 },
      "loss is 0.1234567891234 here, and 0.1234567891235 there.",
    ],
    [{ losses: [1, "NaN"] }, { losses: [1, null] }, undefined],
    [{ losses: [1, 2] }, { losses: [1, null] }, "losses[1] is 2 here, and null there."],
    [{ losses: [1, "NaN"] }, { losses: [1, "Infinity"] }, "losses[1] is NaN here, and Infinity there."],
    [
      { losses: [[1], [2]] },
      { losses: [[1], [2, 3]] },
      "losses[1] is a list of 1 here, and a list of 2 there.",
    ],
    [{ losses: [1] }, { losses: 1 }, "losses is a list here, and 1 there."],
    [{ loss: 1, z_loss: 2 }, { loss: 1 }, "z_loss is not in the server's response."],
    [{ loss: 1 }, { loss: 1, warnings: ["w"] }, "warnings is only in the server's response."],
    [{ loss: 1, warnings: ["v"] }, { loss: 1, warnings: ["w"] }, "warnings[0] is v here, and w there."],
  ])("between %j and %j: %s", (own, other, sentence) => {
    expect(differenceOf(own, other)).toBe(sentence);
  });
});

describe("no response of lossd", () => {
  it.each([
    [null],
    ["ok"],
    [[1]],
    [{}],
    [{ status: "ok", items: [1] }],
    [{ loss: { a: 1 } }],
    [{ loss: { dtype: "float32", shape: [1] } }],
    [{ loss: { dtype: "float32", shape: [1], base64: "%" } }],
    [{ loss: { dtype: "float32", shape: [1], base64: "AAA=" } }],
    [{ loss: { dtype: "float31", shape: [1], base64: "AAAAAA==" } }],
  ])("is %j", (json) => {
    expect(membersOf(json)).toBeUndefined();
  });
});
