/** Tables of tensors in the playground, and their elements. */
import { describe, expect, it } from "vitest";
import type { Nested, Slices } from "../../playground/tensors/slices.ts";
import {
  classSlices,
  numberAt,
  plainSlices,
  positionSlices,
  shapeOf,
} from "../../playground/tensors/slices.ts";

/** Returns a tensor whose elements are their row-major indices. */
function count(shape: readonly number[]): Nested {
  let next = 0;
  const fill = ([size, ...rest]: readonly number[]): Nested =>
    size === undefined ? next++ : Array.from({ length: size }, () => fill(rest));
  return fill(shape);
}

const drawn = ({ slices }: Slices): unknown[] =>
  slices.map(({ title, columns, rows }) => [
    title,
    columns,
    rows.map(({ head, cells }) => [head, cells.map(({ value }) => value)]),
  ]);

describe("slices", () => {
  it.each([
    [[], [["", ["score"], [["", [0]]]]]],
    [[2], [["", ["class 0", "class 1"], [["", [0, 1]]]]]],
    [
      [2, 2],
      [
        [
          "",
          ["class 0", "class 1"],
          [
            ["row 0", [0, 1]],
            ["row 1", [2, 3]],
          ],
        ],
      ],
    ],
    [
      [1, 2, 2],
      [
        ["class 0", ["x 0", "x 1"], [["", [0, 1]]]],
        ["class 1", ["x 0", "x 1"], [["", [2, 3]]]],
      ],
    ],
    [
      [2, 1, 2, 1, 2],
      [
        [
          "sample 0, class 0",
          ["x 0, 0", "x 0, 1"],
          [
            ["y 0", [0, 1]],
            ["y 1", [2, 3]],
          ],
        ],
        [
          "sample 1, class 0",
          ["x 0, 0", "x 0, 1"],
          [
            ["y 0", [4, 5]],
            ["y 1", [6, 7]],
          ],
        ],
      ],
    ],
  ])("with classes, of shape %j", (shape, tables) => {
    expect(drawn(classSlices(count(shape), shape.length < 2 ? 0 : 1))).toEqual(tables);
  });

  it.each([
    [
      [2, 2],
      0,
      [
        [
          "",
          ["column 0", "column 1"],
          [
            ["class 0", [0, 1]],
            ["class 1", [2, 3]],
          ],
        ],
      ],
    ],
    [
      [2, 1, 2],
      2,
      [
        ["sample 0", ["class 0", "class 1"], [["row 0", [0, 1]]]],
        ["sample 1", ["class 0", "class 1"], [["row 0", [2, 3]]]],
      ],
    ],
    [
      [2, 2, 1],
      0,
      [
        ["sample 0, class 0", ["x 0"], [["", [0]]]],
        ["sample 0, class 1", ["x 0"], [["", [2]]]],
        ["sample 1, class 0", ["x 0"], [["", [1]]]],
        ["sample 1, class 1", ["x 0"], [["", [3]]]],
      ],
    ],
    [
      [1, 2, 2, 2],
      2,
      [
        [
          "class 0",
          ["x 0", "x 1"],
          [
            ["y 0", [0, 1]],
            ["y 1", [4, 5]],
          ],
        ],
        [
          "class 1",
          ["x 0", "x 1"],
          [
            ["y 0", [2, 3]],
            ["y 1", [6, 7]],
          ],
        ],
      ],
    ],
  ])("with classes, of shape %j and in dimension %i", (shape, dim, tables) => {
    expect(drawn(classSlices(count(shape), dim))).toEqual(tables);
  });

  it("keep the indices of every element, for all shapes and class dimensions", () => {
    for (const shape of [
      [2, 3],
      [2, 3, 4],
      [2, 3, 1, 4],
      [1, 2, 3, 2, 2],
    ]) {
      const tensor = count(shape);
      for (const dim of shape.keys()) {
        const all = classSlices(tensor, dim).slices.flatMap(({ rows }) => rows.flatMap(({ cells }) => cells));
        expect(all.map(({ value }) => value).sort((one, other) => one - other)).toEqual(
          (tensor as number[]).flat(5),
        );
        for (const { at, value } of all) expect(numberAt(tensor, at)).toBe(value);
      }
    }
  });

  it("of any other tensor, of rank 2 as one table", () => {
    expect(drawn(plainSlices(count([1, 2]), "values"))).toEqual([
      ["", ["column 0", "column 1"], [["row 0", [0, 1]]]],
    ]);
    expect(drawn(plainSlices(count([2]), "lse"))).toEqual([
      [
        "",
        ["lse"],
        [
          ["row 0", [0]],
          ["row 1", [1]],
        ],
      ],
    ]);
  });

  it.each([
    [[], [["", ["loss"], [["", [0]]]]]],
    [
      [2],
      [
        [
          "",
          ["loss"],
          [
            ["row 0", [0]],
            ["row 1", [1]],
          ],
        ],
      ],
    ],
    [
      [2, 2],
      [
        ["sample 0", ["x 0", "x 1"], [["", [0, 1]]]],
        ["sample 1", ["x 0", "x 1"], [["", [2, 3]]]],
      ],
    ],
  ])("of positions, of shape %j", (shape, tables) => {
    expect(drawn(positionSlices(count(shape), "loss"))).toEqual(tables);
  });

  it("show at most 32 rows, 32 columns and 16 slices, and say of how many", () => {
    const wide = count([200, 40]);
    expect(classSlices(wide, 1).truncation).toBe("The first 32 of 200 rows, 32 of 40 columns.");
    expect(classSlices(wide, 1).slices[0]!.rows).toHaveLength(32);
    expect(classSlices(wide, 1).slices[0]!.rows[0]!.cells).toHaveLength(32);
    const many = count([3, 7, 1, 50]);
    expect(classSlices(many, 1).truncation).toBe("The first 16 of 21 slices, 32 of 50 columns.");
    expect(classSlices(many, 1).slices).toHaveLength(16);
    expect(classSlices(count([32, 32]), 1).truncation).toBe("");
    expect(shapeOf(wide)).toEqual([200, 40]);
  });
});
