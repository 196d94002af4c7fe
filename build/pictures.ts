/** `npm run pictures`: the picture of docs/losses.md, from the losses themselves and in the playground's colours. */

import { writeFileSync } from "node:fs";
import type { Heat } from "../playground/steps/colors.ts";
import { heatScale } from "../playground/steps/colors.ts";
import { shortNumber } from "../playground/tensors/arithmetic.ts";
import type { ArrayTensor } from "../src/runtimes/node.ts";
import { crossEntropy, logSoftmax } from "../src/runtimes/node.ts";

/** Three pictures of cats: the model is certain, unsure, and wrong. */
const SCORES = [5, 1, -1, 1, 0.8, 0.6, -1, 3, 0.5];
const CLASSES = ["cat", "dog", "bird"];
const CELL = { width: 82, height: 34 };
const PANEL = CELL.width * CLASSES.length;
const [LEFT, TOP, GAP, LINE] = [84, 30, 76, 190];
const INK = "#1b1d22";
const SOFT = "#595d66";

interface Panel {
  readonly x: number;
  readonly y: number;
  readonly title: string;
  readonly heat: Heat;
  readonly columns: readonly string[];
  readonly values: readonly number[];
  /** The number of the column in which each row's target is; none where it is not shown. */
  readonly target?: number;
}

function text(x: number, y: number, content: string, more: string): string {
  return `<text x="${x}" y="${y}" ${more}>${content}</text>`;
}

function panel({ x, y, title, heat, columns, values, target }: Panel): string {
  const paint = heatScale(heat, values);
  const parts = [text(x, y - 28, title, `font-weight="600" fill="${INK}"`)];
  for (const [c, name] of columns.entries())
    parts.push(
      text(x + (c + 0.5) * CELL.width, y - 8, name, `text-anchor="middle" font-size="12" fill="${SOFT}"`),
    );
  for (const [at, value] of values.entries()) {
    const [row, c] = [Math.floor(at / columns.length), at % columns.length];
    const { background, text: ink } = paint(value);
    const [left, top] = [x + c * CELL.width, y + row * CELL.height];
    const ring = c === target ? ` stroke="#000000" stroke-width="2.5"` : "";
    parts.push(
      `<rect x="${left + 2}" y="${top + 2}" width="${CELL.width - 4}" height="${CELL.height - 4}" rx="5" fill="${background}"${ring}/>`,
      text(left + CELL.width / 2, top + 22, shortNumber(value), `text-anchor="middle" fill="${ink}"`),
    );
  }
  return parts.join("\n");
}

/** An arrow in the gap behind a panel, and what happens there. */
function arrow(x: number, y: number, words: readonly string[]): string {
  const lines = words.map((word, at) =>
    text(
      x + GAP / 2,
      y - 10 - 15 * (words.length - 1 - at),
      word,
      `text-anchor="middle" font-size="12" fill="${SOFT}"`,
    ),
  );
  return `${lines.join("\n")}\n<path d="M${x + 12} ${y}h${GAP - 26}m-7 -5l7 5l-7 5" fill="none" stroke="${SOFT}" stroke-width="1.5"/>`;
}

function rowNames(y: number): string {
  return [0, 1, 2]
    .map((row) =>
      text(
        LEFT - 8,
        y + row * CELL.height + 22,
        `picture ${row}`,
        `text-anchor="end" font-size="12" fill="${SOFT}"`,
      ),
    )
    .join("\n");
}

/** The picture as SVG. */
export function lossesPicture(): string {
  const input: ArrayTensor<"float32"> = { dtype: "float32", shape: [3, 3], data: Float32Array.from(SCORES) };
  const target: ArrayTensor<"int64"> = { dtype: "int64", shape: [3], data: BigInt64Array.of(0n, 0n, 0n) };
  const log = [...logSoftmax(input, { dim: 1 }).output.data];
  const losses = [...crossEntropy(input, target, { reduction: "none" }).losses!.data] as number[];
  const { loss, gradInput } = crossEntropy(input, target, { returnGrad: true });
  const [first, second] = [TOP + 30, TOP + 30 + LINE];
  const middle = 1.5 * CELL.height;
  const at = (k: number): number => LEFT + k * (PANEL + GAP);
  const pickedEnd = LEFT + CELL.width;
  const mean = pickedEnd + GAP;
  const gradient = at(1) + GAP;
  const parts = [
    rowNames(first),
    panel({ x: at(0), y: first, title: "scores", heat: "signed", columns: CLASSES, values: SCORES }),
    arrow(at(0) + PANEL, first + middle, ["exp, then", "divide by", "the sum"]),
    panel({
      x: at(1),
      y: first,
      title: "softmax",
      heat: "share",
      columns: CLASSES,
      values: log.map(Math.exp),
      target: 0,
    }),
    arrow(at(1) + PANEL, first + middle, ["logarithm"]),
    panel({
      x: at(2),
      y: first,
      title: "log_softmax",
      heat: "log",
      columns: CLASSES,
      values: log,
      target: 0,
    }),
    rowNames(second),
    panel({
      x: LEFT,
      y: second,
      title: "loss of each row",
      heat: "loss",
      columns: ["− log p(cat)"],
      values: losses,
    }),
    arrow(pickedEnd, second + middle, ["mean"]),
    text(mean + 8, second + middle + 9, shortNumber(loss!), `font-size="26" font-weight="650" fill="${INK}"`),
    arrow(gradient - GAP, second + middle, ["softmax", "− target,", "over 3"]),
    panel({
      x: gradient,
      y: second,
      title: "gradient",
      heat: "signed",
      columns: CLASSES,
      values: [...gradInput!.data],
      target: 0,
    }),
  ];
  const [width, height] = [at(2) + PANEL + 16, second + 3 * CELL.height + 16];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="14">
<title>From scores to a loss and its gradient</title>
<rect width="${width}" height="${height}" rx="10" fill="#ffffff"/>
${parts.join("\n")}
</svg>
`;
}

if (import.meta.main) writeFileSync(new URL("../docs/pictures/losses.svg", import.meta.url), lossesPicture());
