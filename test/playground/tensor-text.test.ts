/** Text in the playground, parsed to tensors and sent as JSON. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import {
  exactNumber,
  formatTensor,
  parseTensor,
  TextError,
  toJson,
} from "../../playground/tensors/tensor-text.ts";

const MATRIX = [
  [1, 2.5],
  [3, "-Infinity"],
];

describe("text of tensors", () => {
  it.each([
    ["JSON", "[[1, 2.5], [3, -Infinity]]", MATRIX],
    ["JSON as the API answers", '[[1,2.5],[3,"-Infinity"]]', MATRIX],
    [
      "Python, with commas at the ends",
      "[\n  [1, 2.5,],\n  [3, float_inf],\n]".replace("float_inf", "-inf"),
      MATRIX,
    ],
    ["tuples", "((1, 2.5), (3, -inf))", MATRIX],
    ["numpy's print", "[[1.  2.5]\n [3. -inf]]", MATRIX],
    ["numpy's repr", "array([[1. , 2.5],\n       [3. , -inf]])", MATRIX],
    ["numpy's repr with a dtype", "np.array([[1., 2.5], [3., -inf]], dtype=float32)", MATRIX],
    ["PyTorch's print", "tensor([[1.0000, 2.5000],\n        [3.0000,   -inf]])", MATRIX],
    [
      "PyTorch's print of a result",
      "tensor([[1., 2.5], [3., -inf]], device='cuda:0', grad_fn=<AddBackward0>)",
      MATRIX,
    ],
    [
      "PyTorch's parameters",
      "Parameter containing:\ntensor([[1., 2.5], [3., -inf]], requires_grad=True)",
      MATRIX,
    ],
    ["NumPy 2's numbers", "[[np.float32(1.0), np.float64(2.5)], [np.int64(3), np.float32(-inf)]]", MATRIX],
    ["a list of tensors", "[tensor([1., 2.5], device='cuda:0'), tensor([3., -inf])]", MATRIX],
    [
      "a quantized tensor of PyTorch",
      "tensor(0.5, size=(), dtype=torch.qint8, quantization_scheme=torch.per_tensor_affine, scale=1e-05, zero_point=-3)",
      0.5,
    ],
    ["a call with a list as a named argument", "array([1, 2], names=['a', 'b'], sizes=[3, 4])", [1, 2]],
    ["a list of tensors with a number each", "[tensor(1.), tensor(0., grad_fn=<MulBackward0>)]", [1, 0]],
    ["tensors below each other", "tensor([1., 2.5])\ntensor([3., -inf])", MATRIX],
    ["JAX's print", "Array([[1., 2.5], [3., -inf]], dtype=float32)", MATRIX],
    ["a shape among the arguments", "array([[1., 2.5], [3., -inf]], shape=(2, 2), dtype=float32)", MATRIX],
    ["a line of Python", 'logits = torch.tensor([[1., 2.5], [3., float("-inf")]])', MATRIX],
    ["a line of a session", ">>> [[1, 2.5], [3, -inf]]", MATRIX],
    ["a result of IPython", "Out[12]: array([[1. , 2.5],\n       [3. , -inf]])", MATRIX],
    ["a tensor of 8 dimensions", "tensor([[[[[[[[1]]]]]]]])", [[[[[[[[1]]]]]]]]],
    ["lists without one around them", "[1, 2.5]\n[3, -inf]", MATRIX],
    ["a spreadsheet's clipboard", "1\t2.5\r\n3\t-inf\r\n", MATRIX],
    ["CSV", "1,2.5\n3,-inf\n", MATRIX],
    ["CSV with quotes", '"1","2.5"\n"3","-inf"', MATRIX],
    ["CSV of other countries", "1;2.5\n3;-inf", MATRIX],
    ["MATLAB's rows", "[1 2.5; 3 -inf]", MATRIX],
    ["MATLAB's rows with commas, and a semicolon at the end", "[1, 2.5;\n 3, -inf;]", MATRIX],
    ["MATLAB's rows without brackets", "1 2.5; 3 -inf", MATRIX],
    ["lists between semicolons", "[[1, 2.5]; [3, -inf]]", MATRIX],
    ["a column of MATLAB's", "[1; 0; 4]", [1, 0, 4]],
    ["semicolons at the ends of lines", "1 2.5;\n3 -inf;", MATRIX],
    ["CSV with commas at the ends", "1, 2.5,\n3, -inf,", MATRIX],
    ["blanks, and a blank line", "1 2.5\n\n 3  -inf", MATRIX],
    ["this page's own cells", "1\t2.5\n3\t−∞", MATRIX],
    [
      "invisible marks of a web page",
      "\u202d\u200e1\u200b 2.5\u2060\n\u200f3\u00ad -inf\ufeff\u202c",
      MATRIX,
    ],
    ["lines that end as in a text processor", "1 2.5\u20283 -inf\u2029", MATRIX],
    ["a row", "1 2 3", [1, 2, 3]],
    ["a column", "1\n0\n4", [1, 0, 4]],
    ["a number", "5", 5],
    ["ragged rows, which the server refuses", "1 2\n3", [[1, 2], [3]]],
    ["numbers as they come", "1e-3,.5,+2,2.,-0.5E+2", [0.001, 0.5, 2, 2, -50]],
    [
      "what is no finite number",
      "nan NaN inf -Infinity ∞",
      ["NaN", "NaN", "Infinity", "-Infinity", "Infinity"],
    ],
    ["what is beyond a double", "[1e999, -1e999]", ["Infinity", "-Infinity"]],
    [
      "an integer that a double would round, with all of its digits",
      "9007199254740991 9007199254740993 -9007199254740993 +9007199254740993",
      [9007199254740991, 9007199254740993n, -9007199254740993n, 9007199254740993n],
    ],
    ["an integer beyond a double", `[1${"0".repeat(309)}]`, ["Infinity"]],
    ["an empty list", "[]", []],
    ["eight dimensions", "[[[[[[[[1]]]]]]]]", [[[[[[[[1]]]]]]]]],
    ["three dimensions", "[[[1, 2]], [[3, 4]]]", [[[1, 2]], [[3, 4]]]],
  ])("%s is read", (_name, text, value) => {
    expect(parseTensor(text)).toEqual({ value, note: "" });
  });

  it("a first line without numbers is left out, and it is said", () => {
    expect(parseTensor("cat,dog\n1,2\n3,4")).toEqual({
      value: [
        [1, 2],
        [3, 4],
      ],
      note: "The first line has no numbers and was left out.",
    });
  });

  it.each([
    ["pandas' print", "     cat  dog\n0  1.0  2.5\n1  3.0  -inf"],
    ["pandas' CSV", ",cat,dog\n0,1.0,2.5\n1,3.0,-inf"],
    ["a spreadsheet", "\tcat\tdog\r\nrow 1\t1\t2.5\r\nrow 2\t3\t-inf\r\n"],
  ])("the rows' names of %s are left out, and it is said", (_name, text) => {
    const note =
      "The first line has no numbers and was left out, as was the first column, which has no heading.";
    expect(parseTensor(text)).toEqual({ value: MATRIX, note });
  });

  it("nothing is undefined", () => {
    expect(parseTensor("  \n")).toBeUndefined();
  });

  it.each([
    ["hello", "Line 1: hello is not a number."],
    ["1 2\n3 four", "Line 2: four is not a number."],
    ["1 2; 3 four", "Line 1: four is not a number."],
    ["[[1, 2],\n [3, x]]", "Line 2, column 6: x is not a number."],
    ["[1, 2", "A list is not closed: a ] is missing."],
    ["[1, 2]]", "Line 1, column 7: this ] closes nothing."],
    ["[[0. 1. ... 8. 9.]]", "Line 1, column 9: ... stands for numbers that were left out."],
    ["[true, null]", "Line 1, column 2: true is not a number."],
    ['["it\'s", 1]', 'Line 1, column 2: "it\'s" is not a number.'],
    ["[".repeat(9), "Line 1, column 9: a tensor has at most 8 dimensions."],
    ["tensor([True])", "Line 1, column 9: True is not a number."],
    ["sin([1, 2])", "Line 1, column 1: sin is not a number."],
    ["[1, x=2]", "Line 1, column 3: , x=2 is not a number."],
    ["tensor(5, x=(1,(2)))", "Line 1, column 11: x= is not a number."],
    ["tensor([1], x=3*4)", "Line 1, column 13: x=3*4 is not a number."],
    ["tensor(indices=tensor([[0]]), size=(2,))", "Line 1, column 8: indices=tensor is not a number."],
    ["1\t\t3", "Line 1: number 2 is missing."],
    ["1,5\t2,5", "Line 1: 1,5 is not a number. Write a point for the decimal comma."],
    ["1,5;2,5", "Line 1: 1,5 is not a number. Write a point for the decimal comma."],
    ["1,000 2,000", "Line 1: 000 2 is not a number."],
    ['{"shape": [1], "data": [1]}', "Write numbers or lists; objects with shape and data are for programs."],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseTensor(text)).toThrow(new TextError(message));
  });

  it("of more lists in lists than the stack has room for is refused", () => {
    const text = `${"(".repeat(20_000)}1${")".repeat(20_000)}`;
    expect(() => parseTensor(text)).toThrow(
      new TextError("Line 1, column 9: a tensor has at most 8 dimensions."),
    );
  });

  it("is written so that it is read again", () => {
    const number = fc.oneof(
      // Integers from 2^53 on are read as bigints, which keep their digits.
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((x) => !Number.isInteger(x) || Number.isSafeInteger(x)),
      fc.constantFrom("NaN", "-Infinity"),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }),
    );
    const row = fc.array(number, { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(row, fc.array(row, { minLength: 1, maxLength: 3 })), (value) => {
        expect(parseTensor(formatTensor(value))?.value).toEqual(value);
      }),
    );
    for (const value of [-0, [[-0, 1], [-0]]]) expect(parseTensor(formatTensor(value))?.value).toEqual(value);
    for (const { input } of EXAMPLES) expect(parseTensor(formatTensor(input))?.value).toEqual(input);
  });
});

describe("JSON of a request", () => {
  it("has every integer literal with the digits that were typed, up to 300 of them", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 300n), max: 10n ** 300n }), (value) => {
        expect(toJson({ ignore_index: exactNumber(String(value)) })).toBe(`{"ignore_index":${value}}`);
      }),
    );
  });

  it("has -0 with its sign", () => {
    const json = toJson({ input: [[-0, 0]], label_smoothing: -0 });
    expect(json).toBe('{"input":[[-0.0,0]],"label_smoothing":-0.0}');
  });

  it("is that of JSON.stringify, where no integer needs more than a double, and without -0", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const value = JSON.parse(json);
        expect(toJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it.each([
    ["1.5", 1.5],
    ["1e3", 1000],
    ["-0", -0],
    ["9007199254740993.0", 9007199254740992],
  ])("takes %s, which is no integer literal above 2^53, as a double", (numeral, value) => {
    expect(exactNumber(numeral)).toBe(value);
  });
});
