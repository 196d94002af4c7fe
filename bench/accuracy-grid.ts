/** P11, the grid: errors of one dominant logit over classes x gaps x target positions, compared with PyTorch's float32 by float64. */
import { crossEntropy } from "../src/runtimes/node.ts";
import { computeTorch } from "./accuracy.ts";
import type { Row } from "./bars.ts";
import { absentRow, BARS } from "./bars.ts";
import { uniform } from "./measure.ts";
import type { Torch } from "./peers/torch.ts";

const CLASSES = [2, 3, 10, 16, 48, 49, 64, 128, 512, 1000, 4096, 32_000, 131_072];
const GAPS = [0, 0.5, 1, 2, 5, 10, 15, 17.4, 20, 25, 30, 40];
/** The target is the dominant logit: first, in the middle, last. */
const PLACES = [0, 0.5, 1];
/** Rows per cell and the limit of elements, which reduces the rows of cells with many classes. */
const CELL_ROWS = 30;
const CELL_ELEMENTS = 400_000;

/** Worst relative errors of one number of classes and one gap. */
export interface GridCell {
  readonly classes: number;
  readonly gap: number;
  readonly loss: { readonly ours: number; readonly torch: number | undefined };
  readonly gradient: { readonly ours: number; readonly torch: number | undefined };
}

/** Measures every cell, with the gradient at the target. */
export async function measureGrid(torch: Torch | undefined): Promise<GridCell[]> {
  const cells: GridCell[] = [];
  for (const classes of CLASSES) {
    for (const gap of GAPS) cells.push(await measureCell(torch, classes, gap));
  }
  return cells;
}

async function measureCell(torch: Torch | undefined, classes: number, gap: number): Promise<GridCell> {
  const rows = Math.max(PLACES.length, Math.min(CELL_ROWS, Math.floor(CELL_ELEMENTS / classes)));
  const random = uniform(classes * 100 + gap);
  const x = new Float32Array(rows * classes).map(() => -gap - random());
  const target = BigInt64Array.from({ length: rows }, (_, row) =>
    BigInt(Math.round(PLACES[row % PLACES.length]! * (classes - 1))),
  );
  for (const [row, y] of target.entries()) x[row * classes + Number(y)] = 0;
  const input = { dtype: "float32", shape: [rows, classes], data: x } as const;
  const indices = { dtype: "int64", shape: [rows], data: target } as const;
  const ours = {
    losses: crossEntropy(input, indices, { reduction: "none" }).losses!.data as Float32Array,
    gradient: crossEntropy(input, indices, { reduction: "sum", returnGrad: true }).gradInput!
      .data as Float32Array,
  };
  const theirs = torch && (await computeTorch(torch, x, target));
  let [loss, gradient, torchLoss, torchGradient] = [0, 0, 0, 0];
  for (const [row, y] of target.entries()) {
    const at = row * classes + Number(y);
    const tail = tailOf(x.subarray(row * classes, (row + 1) * classes), Number(y));
    const wantLoss = Math.log1p(tail);
    const wantGradient = -tail / (1 + tail);
    const error = (got: number, want: number): number => Math.abs(got / want - 1);
    loss = Math.max(loss, error(ours.losses[row]!, wantLoss));
    gradient = Math.max(gradient, error(ours.gradient[at]!, wantGradient));
    if (theirs === undefined) continue;
    torchLoss = Math.max(torchLoss, error(theirs.cross_entropy[row]!, wantLoss));
    torchGradient = Math.max(torchGradient, error(theirs.gradient[at]!, wantGradient));
  }
  const peer = (value: number): number | undefined => (theirs === undefined ? undefined : value);
  return {
    classes,
    gap,
    loss: { ours: loss, torch: peer(torchLoss) },
    gradient: { ours: gradient, torch: peer(torchGradient) },
  };
}

/** Kahan sum of exp(x - 0) over all classes except the target's. */
function tailOf(row: Float32Array, y: number): number {
  let [sum, lost] = [0, 0];
  row.forEach((value, at) => {
    if (at === y) return;
    const term = Math.exp(value) - lost;
    const total = sum + term;
    lost = total - sum - term;
    sum = total;
  });
  return sum;
}

/** Finds the cell with the worst ratio to PyTorch, for the loss and for the gradient. */
export function gridBars(cells: readonly GridCell[]): Row[] {
  return (["loss", "gradient"] as const).map((quantity) => {
    const measure = `${quantity} at a dominant target, the worst ratio of ${cells.length} cells`;
    const ratio = (cell: GridCell): number => cell[quantity].ours / cell[quantity].torch!;
    if (cells[0]?.[quantity].torch === undefined) return absentRow("P11", measure, "PyTorch");
    const worst = cells.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
    return {
      bar: "P11",
      measure: `${measure}: ${worst.classes} classes, gap ${worst.gap}`,
      ours: worst[quantity].ours.toExponential(2),
      peer: "PyTorch",
      theirs: worst[quantity].torch!.toExponential(2),
      value: ratio(worst),
      reach: BARS.P11.reach,
    };
  });
}

/** Table of lossd's / PyTorch's worst relative errors: a line per number of classes, a column per gap. */
export function gridTable(cells: readonly GridCell[], quantity: "loss" | "gradient"): string[][] {
  const text = ({ ours, torch }: GridCell["loss"]): string =>
    `${ours.toExponential(0)} / ${torch?.toExponential(0) ?? "absent"}`;
  return [
    ["classes", ...GAPS.map((gap) => `gap ${gap}`)],
    ...CLASSES.map((classes) => [
      String(classes),
      ...cells.filter((cell) => cell.classes === classes).map((cell) => text(cell[quantity])),
    ]),
  ];
}
