/** What operators watch, in Prometheus' text format: base units, `_total` on counters, few labels. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Histogram } from "prom-client";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ProblemCode } from "../../problems.ts";
import { PROBLEMS } from "../../problems.ts";
import type { Arena } from "../../tensor/arena.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { STAGES } from "../context.ts";
import type { LoadEstimate } from "../limits/load-estimate.ts";
import { InferenceCounts } from "./inferences.ts";
import { finalStatus } from "./log.ts";

/** From a small request's microseconds to a large upload's minutes. */
const BUCKETS = [0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120];

/** What requests have added to a counter since it was last asked for: a sum for each combination of labels. */
type Pending = Map<string, number>;

function add(pending: Pending, labels: string, value = 1): void {
  pending.set(labels, (pending.get(labels) ?? 0) + value);
}

/** Requests add numbers here; prom-client gets them when somebody looks. Its own bookkeeping would cost a small request a tenth of its time. */
export class Metrics {
  readonly registry = new Registry();
  readonly #inferences = new InferenceCounts(this.registry);
  readonly #requests: Pending = new Map();
  readonly #refusals: Pending = new Map();
  #bytes = 0;
  #elements = 0;
  /** For each stage: requests by bucket, with those beyond the last, then seconds in all. */
  readonly #stages = STAGES.map(() => new Float64Array(BUCKETS.length + 2));

  constructor(arena: Arena, load: LoadEstimate) {
    this.#registerCounters();
    this.#registerStages();
    this.#registerGauges(arena, load);
    // Lag is sampled by a timer of its own, which costs nothing beside the requests.
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts a request whose answer has left. */
  count(request: FastifyRequest, reply: FastifyReply): void {
    const loss = request.context?.loss;
    const problem = request.context?.problem;
    add(this.#requests, `${loss?.operation ?? "other"} ${finalStatus(reply)}`);
    if (problem !== undefined) add(this.#refusals, problem);
    this.#inferences.count(request, reply);
    if (loss === undefined) return;
    this.#bytes += loss.bytes;
    for (let at = 0; at < STAGES.length; at++) {
      const seconds = loss.timings.seconds(STAGES[at]!);
      const counts = this.#stages[at]!;
      let bucket = 0;
      while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
      counts[bucket]!++;
      counts[BUCKETS.length + 1]! += seconds;
    }
    if (problem === undefined && loss.input !== undefined) this.#elements += elementCount(loss.input.shape);
  }

  /** Counts a refusal of what could not be read as a request. */
  countUnread(problem: ProblemCode): void {
    add(this.#requests, `other ${PROBLEMS[problem].status}`);
    add(this.#refusals, problem);
  }

  #registerCounters(): void {
    const registers = [this.registry];
    const requests = new Counter({
      name: "lossd_requests_total",
      help: "Requests that have been answered, by operation (other: not a loss) and HTTP status.",
      labelNames: ["operation", "status"] as const,
      registers,
      collect: () => {
        for (const [labels, count] of this.#requests) {
          const [operation = "", status = ""] = labels.split(" ");
          requests.inc({ operation, status }, count);
        }
        this.#requests.clear();
      },
    });
    const refusals = new Counter({
      name: "lossd_refusals_total",
      help: "Requests that were refused, by the code of the problem.",
      labelNames: ["reason"] as const,
      registers,
      collect: () => {
        for (const [reason, count] of this.#refusals) refusals.inc({ reason }, count);
        this.#refusals.clear();
      },
    });
    const bytes = new Counter({
      name: "lossd_request_bytes_total",
      help: "Bytes of bodies that have arrived.",
      registers,
      collect: () => {
        bytes.inc(this.#bytes);
        this.#bytes = 0;
      },
    });
    const elements = new Counter({
      name: "lossd_elements_total",
      help: "Elements of the inputs of losses that were answered.",
      registers,
      collect: () => {
        elements.inc(this.#elements);
        this.#elements = 0;
      },
    });
  }

  /** The histogram, which cannot be filled from outside, in the form in which the registry asks for it. */
  #registerStages(): void {
    const name = "lossd_request_stage_seconds";
    const help =
      "Seconds that a loss spent waiting for its turn, reading, decoding, computing, encoding and writing.";
    const get = async () => ({
      name,
      help,
      type: "histogram",
      aggregator: "sum",
      values: this.#stageValues(name),
    });
    this.registry.registerMetric({ name, help, get, reset: () => {} } as unknown as Histogram);
  }

  #stageValues(name: string) {
    return STAGES.flatMap((stage, at) => {
      const counts = this.#stages[at]!;
      let sum = 0;
      const buckets = [...BUCKETS, "+Inf"].map((le, bucket) => {
        sum += counts[bucket]!;
        return { metricName: `${name}_bucket`, labels: { le: String(le), stage }, value: sum };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: { stage }, value: counts[BUCKETS.length + 1]! },
        { metricName: `${name}_count`, labels: { stage }, value: sum },
      ];
    });
  }

  #registerGauges(arena: Arena, load: LoadEstimate): void {
    const registers = [this.registry];
    new Gauge({
      name: "lossd_reserved_bytes",
      help: "Bytes of the memory budget that requests have reserved now.",
      registers,
      collect() {
        this.set(arena.reserved);
      },
    });
    new Gauge({
      name: "lossd_memory_budget_bytes",
      help: "Bytes that requests can reserve together.",
      registers,
      collect() {
        this.set(arena.capacity);
      },
    });
    new Gauge({
      name: "lossd_backlog_seconds",
      help: "Seconds of one core that the larger requests under way still take, as estimated from their lengths.",
      registers,
      collect() {
        this.set(load.seconds);
      },
    });
  }
}

/** Counts the log lines of this process that standard output did not take, by reason. */
export function registerDroppedLines(registry: Registry, dropped: Readonly<Record<string, number>>): void {
  const lines = new Counter({
    name: "lossd_log_lines_dropped_total",
    help: "Log lines that were not written, by reason: the buffer was full, or the write failed.",
    labelNames: ["reason"] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(dropped)) lines.inc({ reason }, count);
    },
  });
}

/** GET /metrics. `page` gives the text, of one process or of a whole group. */
export function registerMetrics(app: FastifyInstance, page: () => Promise<string>): void {
  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) => {
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await page());
  });
}
