/**
 * The judge: the losses as their formulas say, in float64, slow and obvious. Tensors are flat lists laid out (outer, classes,
 * inner); element (o, c, i) is at (o * classes + c) * inner + i, position (o, i) at o * inner + i.
 */

export interface Layout {
  readonly outer: number;
  readonly classes: number;
  readonly inner: number;
}

export interface OracleLoss {
  /** One loss for each position. */
  readonly losses: number[];
  readonly gradInput: number[];
  readonly gradTarget: number[];
}

/** The lines of a tensor: for each position the places of its classes. */
export function linesOf({ outer, classes, inner }: Layout): number[][] {
  const lines: number[][] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const line: number[] = [];
      for (let c = 0; c < classes; c++) line.push((o * classes + c) * inner + i);
      lines.push(line);
    }
  }
  return lines;
}

const sum = (list: readonly number[]): number => list.reduce((total, value) => total + value, 0);

/** (x - max) - log(sum(exp(x - max))) along every line. */
export function logSoftmax(x: readonly number[], layout: Layout): number[] {
  const out: number[] = new Array(x.length).fill(0);
  for (const line of linesOf(layout)) {
    const max = Math.max(...line.map((at) => x[at]!));
    const log = Math.log(sum(line.map((at) => Math.exp(x[at]! - max))));
    for (const at of line) out[at] = x[at]! - max - log;
  }
  return out;
}

/** The gradient of `logSoftmax` from its output: go - exp(out) * sum(go). */
export function logSoftmaxGrad(out: readonly number[], go: readonly number[], layout: Layout): number[] {
  const dx: number[] = new Array(out.length).fill(0);
  for (const line of linesOf(layout)) {
    const flow = sum(line.map((at) => go[at]!));
    for (const at of line) dx[at] = go[at]! - Math.exp(out[at]!) * flow;
  }
  return dx;
}

/** -x[y] * w[y] at each position, 0 where y is ignored; the gradient for the upstream gradient g of each position. */
export function nll(
  x: readonly number[],
  target: readonly number[],
  layout: Layout,
  { weight, ignoreIndex, g }: { weight: readonly number[]; ignoreIndex: number; g: readonly number[] },
): OracleLoss {
  const gradInput: number[] = new Array(x.length).fill(0);
  const losses = linesOf(layout).map((line, p) => {
    const y = target[p]!;
    if (y === ignoreIndex) return 0;
    gradInput[line[y]!] = -weight[y]! * g[p]!;
    return -x[line[y]!]! * weight[y]!;
  });
  return { losses, gradInput, gradTarget: [] };
}

/** Class indices as cross_entropy reads them: (1 - eps) * nll + eps / C * smooth, and the gradient through log_softmax. */
export function crossEntropy(
  x: readonly number[],
  target: readonly number[],
  layout: Layout,
  options: { weight: readonly number[]; ignoreIndex: number; g: readonly number[]; smoothing: number },
): OracleLoss {
  const { weight, ignoreIndex, g, smoothing } = options;
  const a = logSoftmax(x, layout);
  const hard = nll(a, target, layout, options);
  const share = smoothing / layout.classes;
  const toLogs = hard.gradInput.map((value) => (1 - smoothing) * value);
  const losses = linesOf(layout).map((line, p) => {
    if (target[p] === ignoreIndex) return 0;
    line.forEach((at, c) => {
      toLogs[at] = toLogs[at]! - share * g[p]! * weight[c]!;
    });
    const smooth = -sum(line.map((at, c) => weight[c]! * a[at]!));
    return (1 - smoothing) * hard.losses[p]! + (smoothing > 0 ? share * smooth : 0);
  });
  return { losses, gradInput: logSoftmaxGrad(a, toLogs, layout), gradTarget: [] };
}

/** Probabilities as cross_entropy reads them: -sum(a * q * w), q = t * (1 - eps) + eps / C. */
export function softTarget(
  x: readonly number[],
  t: readonly number[],
  layout: Layout,
  { weight, g, smoothing }: { weight: readonly number[]; g: readonly number[]; smoothing: number },
): OracleLoss {
  const a = logSoftmax(x, layout);
  const q = t.map((value) => value * (1 - smoothing) + smoothing / layout.classes);
  const toLogs: number[] = new Array(x.length).fill(0);
  const gradTarget: number[] = new Array(x.length).fill(0);
  const losses = linesOf(layout).map((line, p) => {
    line.forEach((at, c) => {
      toLogs[at] = -g[p]! * weight[c]! * q[at]!;
      gradTarget[at] = -(1 - smoothing) * g[p]! * weight[c]! * a[at]!;
    });
    return -sum(line.map((at, c) => a[at]! * q[at]! * weight[c]!));
  });
  return { losses, gradInput: logSoftmaxGrad(a, toLogs, layout), gradTarget };
}

/** kl_div of log-probabilities x and probabilities t: t * (log t - x), 0 where t is 0; of log-probabilities t, exp(t) * (t - x). */
export function klDiv(
  x: readonly number[],
  t: readonly number[],
  { logTarget, g }: { logTarget: boolean; g: readonly number[] },
): OracleLoss {
  const p = logTarget ? t.map(Math.exp) : t;
  const logs = logTarget ? t : t.map(Math.log);
  const differences = x.map((value, at) => logs[at]! - value);
  return {
    losses: differences.map((value, at) => (p[at] === 0 ? 0 : p[at]! * value)),
    gradInput: p.map((value, at) => -g[at]! * value),
    gradTarget: differences.map((value, at) => g[at]! * (1 + value) * (logTarget ? p[at]! : 1)),
  };
}

/** kl_div of the log_softmax of both logits, divided by the temperature; the gradients go through both. */
export function klDivOfLogits(
  x: readonly number[],
  t: readonly number[],
  layout: Layout,
  { temperature, g }: { temperature: number; g: readonly number[] },
): OracleLoss {
  const [a, b] = [x, t].map((logits) =>
    logSoftmax(
      logits.map((value) => value / temperature),
      layout,
    ),
  ) as [number[], number[]];
  const { losses, gradInput, gradTarget } = klDiv(a, b, { logTarget: true, g });
  const back = (out: readonly number[], go: readonly number[]): number[] =>
    logSoftmaxGrad(out, go, layout).map((value) => value / temperature);
  return { losses, gradInput: back(a, gradInput), gradTarget: back(b, gradTarget) };
}

/** logsumexp and entropy of one line in float64. */
export function summaryOf(x: readonly number[]): { lse: number; entropy: number } {
  const max = Math.max(...x);
  if (max === -Infinity) return { lse: -Infinity, entropy: Number.NaN };
  const terms = x.map((value) => Math.exp(value - max));
  const sum = terms.reduce((total, term) => total + term, 0);
  if (max === Infinity) return { lse: Infinity, entropy: Number.NaN };
  const entropy = terms.reduce(
    (total, term, c) => (term === 0 ? total : total - (term / sum) * (x[c]! - max)),
    0,
  );
  return { lse: max + Math.log(sum), entropy: Math.log(sum) + entropy };
}

/** Gradient of one line by the formulas: g - p * sum(g), p * l and -p * (log p + H) * h. */
export function lineGradient(
  x: readonly number[],
  { g, lse, entropy }: { g: readonly number[]; lse: number; entropy: number },
): number[] {
  const line = summaryOf(x);
  const flow = g.reduce((total, value) => total + value, 0);
  return x.map((value, c) => {
    const log = value - line.lse;
    const p = Math.exp(log);
    return g[c]! - p * flow + p * lse - (p === 0 ? 0 : p * (log + line.entropy)) * entropy;
  });
}
