/** P5 to P8 and P10: compares the service with its peers, each server on core 0, the load on core 1. */
import type { BarName, Row } from "./bars.ts";
import { BARS } from "./bars.ts";
import { fileBegin, logitBytes, rowsBody, SMALL } from "./bodies.ts";
import { CONNECTIONS, httpContender } from "./load.ts";
import type { Rounds, Timing } from "./measure.ts";
import { alternate, median, speedRatio } from "./measure.ts";
import type { Server } from "./server.ts";
import { BARE, LOSSD, NAIVE, SINK, startServer } from "./server.ts";

const ROUNDS: Rounds = { rounds: 5, time: 2000 };
/** Warm-up, because the engine compiles frequent functions and lossd reaches full speed after about six seconds. */
const WARM_UP_MS = 6000;
const STARTS = 10;

interface Measure {
  readonly bar: BarName;
  readonly title: string;
  readonly path: string;
  readonly body: () => string | Buffer;
  readonly type?: string;
  /** Whether the measure has no bar. */
  readonly isInformation?: boolean;
  /** Peer programs; the bar compares with the first. */
  readonly peers: readonly (readonly [name: string, program: string])[];
}

const MEASURES: readonly Measure[] = [
  {
    bar: "P5",
    title: "JSON cross_entropy 64x1000",
    path: "/v1/cross_entropy",
    body: () => rowsBody(64, 1000, "cross_entropy"),
    peers: [
      ["naive Fastify", NAIVE],
      ["node:http sink", SINK],
    ],
  },
  {
    bar: "P6",
    title: "JSON log_softmax 64x1000, full output",
    path: "/v1/log_softmax",
    body: () => rowsBody(64, 1000, "log_softmax"),
    peers: [["naive Fastify", NAIVE]],
  },
  {
    bar: "P7",
    title: "JSON cross_entropy 3x5",
    path: "/v1/cross_entropy",
    body: () => SMALL,
    peers: [
      ["bare Fastify", BARE],
      ["node:http sink", SINK],
    ],
  },
  {
    bar: "P7",
    title: "safetensors cross_entropy 3x5",
    path: "/v1/cross_entropy",
    body: () => Buffer.concat([fileBegin(3, 5), logitBytes(15)]),
    type: "application/vnd.safetensors",
    isInformation: true,
    peers: [["node:http sink", SINK]],
  },
  {
    bar: "P8",
    title: "safetensors cross_entropy 64x131072, 33.5 MB",
    path: "/v1/cross_entropy",
    body: () => Buffer.concat([fileBegin(64, 131_072), logitBytes(64 * 131_072)]),
    type: "application/vnd.safetensors",
    peers: [["node:http sink", SINK]],
  },
];

/** Measures P5 to P8. */
export async function serviceBars(wanted: ReadonlySet<string>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const measure of MEASURES.filter(({ bar }) => wanted.has(bar))) rows.push(...(await compare(measure)));
  return rows;
}

async function compare({
  bar,
  title,
  path,
  body,
  type = "application/json",
  isInformation = false,
  peers,
}: Measure): Promise<Row[]> {
  const programs = [["lossd", LOSSD] as const, ...peers];
  const servers: Server[] = [];
  try {
    for (const [, program] of programs) servers.push(await startServer(program));
    const load = { body: body(), type, connections: CONNECTIONS };
    const contenders = programs.map(([name], at) =>
      httpContender(name, { ...load, url: servers[at]!.url + path }),
    );
    for (const contender of contenders) await contender.measure(WARM_UP_MS);
    const [ours, ...others] = await alternate(contenders, ROUNDS);
    return others.map((theirs, at) => ({
      bar,
      measure: title,
      ours: rate(ours!),
      peer: theirs.name,
      theirs: rate(theirs),
      ...speedRatio(ours!, theirs),
      reach: at === 0 && !isInformation ? BARS[bar].reach : undefined,
    }));
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** Measures P10: the median of starts, alternating with a bare Fastify; neither is pinned, because users do not pin. */
export async function startBars(): Promise<Row[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < STARTS; round++) {
    ours.push(await startOnce(LOSSD));
    bare.push(await startOnce(BARE));
  }
  const value = median(ours);
  return [
    {
      bar: "P10",
      measure: BARS.P10.measure,
      ours: `${value.toFixed(0)} ms`,
      peer: "bare Fastify",
      theirs: `${median(bare).toFixed(0)} ms`,
      value,
      reach: BARS.P10.reach,
    },
  ];
}

async function startOnce(program: string): Promise<number> {
  const server = await startServer(program, { onOneCore: false });
  await server.stop();
  return server.startMs;
}

function rate({ median: milliseconds }: Timing): string {
  return `${(1000 / milliseconds).toFixed(0)} requests/s`;
}
