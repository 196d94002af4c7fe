/** Performance targets (bars) of lossd, and the rows that a run measured. */

export interface Bar {
  /** Measured quantity and its reference. */
  readonly measure: string;
  /** Ratio or figure to reach. */
  readonly reach: number;
  /** Whether `reach` is an upper limit instead of a lower one. */
  readonly atMost?: boolean;
  /** Unit of a bar without a ratio. */
  readonly unit?: string;
}

export const BARS = {
  P1: { measure: "cross_entropy kernel over PyTorch's, one thread", reach: 1.6 },
  P2: { measure: "cross_entropy + gradient kernel over PyTorch's forward + backward", reach: 1.8 },
  P3: {
    measure: "log_softmax kernel over PyTorch's: last dimension 1.2, class dimension 1 of images 3",
    reach: 1.2,
  },
  P4: { measure: "bfloat16 and float16 kernels over our float32, elements a second", reach: 0.8 },
  P5: { measure: "JSON cross_entropy 64x1000 over naive Fastify, requests a second", reach: 5 },
  P6: { measure: "JSON log_softmax 64x1000 with the full output over naive Fastify", reach: 6 },
  P7: { measure: "JSON 3x5 over a bare Fastify POST with a constant response", reach: 0.85 },
  P8: {
    measure: "binary cross_entropy, 33.5 MB bodies, over a node:http server that counts bytes",
    reach: 0.75,
  },
  P9: {
    measure: "one 4 GiB streamed body: growth of peak memory over idle",
    reach: 16,
    atMost: true,
    unit: "MiB",
  },
  P10: { measure: "process start to the first 200 from readiness", reach: 300, atMost: true, unit: "ms" },
  P11: { measure: "worst error against float64, over PyTorch's float32", reach: 1, atMost: true },
} as const satisfies Record<string, Bar>;

export type BarName = keyof typeof BARS;

/** One measured line. */
export interface Row {
  readonly bar: BarName;
  readonly measure: string;
  readonly ours: string;
  /** Compared peer and its figure. */
  readonly peer: string;
  readonly theirs: string;
  /** Ratio to the peer, or the figure of a bar without a ratio; undefined if not measured. */
  readonly value: number | undefined;
  /** Lowest and highest ratio of a round. */
  readonly range?: readonly [low: number, high: number];
  /** Figure to reach in this line; undefined for information. */
  readonly reach?: number | undefined;
}

/** Whether a row reaches its bar; undefined if it is not measured or has no bar. */
export function reaches({ bar, value, reach }: Row): boolean | undefined {
  if (value === undefined || reach === undefined) return undefined;
  return (BARS[bar] as Bar).atMost ? value <= reach : value >= reach;
}

/** Verdict in the last column of a row. */
export function verdict(row: Row): string {
  const reached = reaches(row);
  if (reached !== undefined) return reached ? "reached" : "FALLS SHORT";
  return row.value === undefined ? "" : "for information";
}

/** Row of a peer that is not installed. */
export function absentRow(bar: BarName, measure: string, peer: string): Row {
  return { bar, measure, ours: "", peer, theirs: "absent", value: undefined };
}

const COLUMNS = ["bar", "measure", "ours", "peer", "peer's", "ratio", "its rounds", "to reach", ""];

/** Cells of the table of bars. */
export function barTable(rows: readonly Row[]): string[][] {
  return [COLUMNS, ...rows.map(cells)];
}

function cells(row: Row): string[] {
  const { atMost, unit } = BARS[row.bar] as Bar;
  const ratio = row.value === undefined || unit !== undefined ? "" : row.value.toPrecision(3);
  const range = row.range?.map((value) => value.toPrecision(3)).join(" to ") ?? "";
  const reach =
    row.reach === undefined ? "" : `${atMost ? "at most " : ""}${row.reach}${unit ? ` ${unit}` : ""}`;
  return [row.bar, row.measure, row.ours, row.peer, row.theirs, ratio, range, reach, verdict(row)];
}

/** Lists one line per missed bar. */
export function shortfalls(rows: readonly Row[]): string[] {
  return rows
    .filter((row) => reaches(row) === false)
    .map(({ bar, measure, peer, value, reach }) => {
      const { atMost, unit } = BARS[bar] as Bar;
      const got = unit === undefined ? `${value!.toPrecision(3)} x ${peer}` : `${value!.toFixed(0)} ${unit}`;
      return `${bar} ${measure}: ${got}, ${atMost ? "at most" : "at least"} ${reach} to reach`;
    });
}
