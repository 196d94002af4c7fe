/** Counts the inferences of each model, and converts the metrics into Triton's statistics. */
import type { Registry } from "prom-client";
import { Counter, Gauge } from "prom-client";
import type { LossName } from "../../loss/names.ts";
import { LOSSES } from "../../loss/names.ts";
import type { LossContext, Outcome, Stage } from "../context.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Model of an inference route. */
    model?: string;
  }
}

/** Stages of a successful request in each part. Only `success` includes reading and writing, which wait for the client. */
const PARTS = {
  queue: ["wait"],
  compute_input: ["decode"],
  compute_infer: ["compute"],
  compute_output: ["encode"],
} as const satisfies Record<string, readonly Stage[]>;

type Part = keyof typeof PARTS;
type Verdict = "success" | "fail";

const VERDICTS: readonly Verdict[] = ["success", "fail"];
const TIMES: readonly (Verdict | Part)[] = [...VERDICTS, ...(Object.keys(PARTS) as Part[])];

interface Tally {
  readonly requests: Record<Verdict, number>;
  readonly seconds: Record<Verdict | Part, number>;
  /** Seconds since 1970, or 0 before the first request. */
  last: number;
}

const REQUESTS = "lossd_inference_requests_total";
const SECONDS = "lossd_inference_seconds_total";
const LAST = "lossd_inference_last_timestamp_seconds";

/** Counts the inferences of one process. */
export class InferenceCounts {
  readonly #tallies = new Map<string, Tally>(LOSSES.map((model) => [model, emptyTally()]));

  constructor(registry: Registry) {
    const registers = [registry];
    const tallies = this.#tallies;
    new Counter({
      name: REQUESTS,
      help: "Completed inference requests under /v2, by model and outcome.",
      labelNames: ["model", "outcome"] as const,
      registers,
      collect() {
        this.reset();
        for (const [model, { requests }] of tallies)
          for (const outcome of VERDICTS) this.inc({ model, outcome }, requests[outcome]);
      },
    });
    new Counter({
      name: SECONDS,
      help: "Seconds of inference requests under /v2, by outcome, and by part of successful requests.",
      labelNames: ["model", "part"] as const,
      registers,
      collect() {
        this.reset();
        for (const [model, { seconds }] of tallies)
          for (const part of TIMES) this.inc({ model, part }, seconds[part]);
      },
    });
    new Gauge({
      name: LAST,
      help: "Time of the last completed inference request under /v2, in seconds since 1970, or 0.",
      labelNames: ["model"] as const,
      registers,
      aggregator: "max",
      collect() {
        for (const [model, { last }] of tallies) this.set({ model }, last);
      },
    });
  }

  /** Counts a completed inference of a model. `loss` is undefined if admission rejected it. */
  count(model: string, loss: LossContext | undefined, { status, isAborted, ms }: Outcome): void {
    const tally = this.#tallies.get(model)!;
    const { requests, seconds } = tally;
    const verdict = status === 200 && !isAborted ? "success" : "fail";
    requests[verdict]++;
    seconds[verdict] += ms / 1000;
    tally.last = Date.now() / 1000;
    if (verdict === "fail" || loss === undefined) return;
    for (const [part, stages] of Object.entries(PARTS) as [Part, readonly Stage[]][])
      for (const stage of stages) seconds[part] += loss.timings.seconds(stage);
  }
}

function emptyTally(): Tally {
  const seconds = Object.fromEntries(TIMES.map((time) => [time, 0])) as Tally["seconds"];
  return { requests: { success: 0, fail: 0 }, seconds, last: 0 };
}

/** Converts metrics of one process or of a cluster into the statistics of models. */
export function statisticsOf(page: string, models: readonly LossName[] = LOSSES) {
  const values = readPage(page);
  return { model_stats: models.map((model) => modelStatistics(model, values)) };
}

function modelStatistics(name: LossName, values: ReadonlyMap<string, number>) {
  const value = (metric: string, label = ""): number => values.get(`${metric} ${name} ${label}`) ?? 0;
  const success = value(REQUESTS, "success");
  const duration = (part: Verdict | Part, count = success) => ({
    count,
    ns: Math.round(value(SECONDS, part) * 1e9),
  });
  const computed = {
    compute_input: duration("compute_input"),
    compute_infer: duration("compute_infer"),
    compute_output: duration("compute_output"),
  };
  const none = { count: 0, ns: 0 };
  return {
    name,
    version: "1",
    last_inference: Math.round(value(LAST) * 1000),
    inference_count: success,
    execution_count: success,
    inference_stats: {
      success: duration("success"),
      fail: duration("fail", value(REQUESTS, "fail")),
      queue: duration("queue"),
      ...computed,
      cache_hit: none,
      cache_miss: none,
    },
    batch_stats: success === 0 ? [] : [{ batch_size: 1, ...computed }],
  };
}

/** Parses the inference metrics into values by name, model and the other label. */
function readPage(page: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [, metric, labels, value] of page.matchAll(/^(lossd_inference_\w+)\{([^}]*)\} (\S+)$/gm)) {
    const { model, outcome, part } = Object.fromEntries(
      [...labels!.matchAll(/(\w+)="(\w+)"/g)].map(([, label, text]) => [label, text]),
    );
    values.set(`${metric} ${model} ${outcome ?? part ?? ""}`, Number(value));
  }
  return values;
}
