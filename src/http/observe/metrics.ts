/** Metrics in Prometheus' text format: base units, `_total` on counters, few labels. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Histogram } from "prom-client";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ProblemCode } from "../../problems.ts";
import { PROBLEMS } from "../../problems.ts";
import type { Arena } from "../../tensor/arena.ts";
import { elementCount } from "../../tensor/tensor.ts";
import type { Outcome } from "../context.ts";
import { STAGES } from "../context.ts";
import type { LoadEstimate } from "../limits/load-estimate.ts";
import { InferenceCounts } from "./inferences.ts";

/** Buckets from a small request's microseconds to a large upload's minutes. */
const BUCKETS_S = [0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120];

/** Increments of a counter since the last collection, by labels. */
type Pending = Map<string, number>;

function add(pending: Pending, labels: string, value = 1): void {
  pending.set(labels, (pending.get(labels) ?? 0) + value);
}

/** Counts requests and passes the numbers to prom-client at collection, because its bookkeeping would take a tenth of a small request's time. */
export class Metrics {
  readonly registry = new Registry();
  readonly #inferences = new InferenceCounts(this.registry);
  readonly #requests: Pending = new Map();
  readonly #errors: Pending = new Map();
  readonly #aborted: Pending = new Map();
  #bytes = 0;
  #elements = 0;
  /** Per stage: requests by bucket, requests beyond the last bucket, total seconds. */
  readonly #stages = STAGES.map(() => new Float64Array(BUCKETS_S.length + 2));

  constructor(arena: Arena, load: LoadEstimate) {
    this.#registerCounters();
    this.#registerStages();
    this.#registerGauges(arena, load);
    // Samples event loop lag with a timer, so requests have no overhead.
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts a completed request. */
  count(request: FastifyRequest, outcome: Outcome): void {
    const loss = request.context?.loss;
    const problem = request.context?.problem;
    const operation = outcome.operation ?? "other";
    add(this.#requests, `${operation} ${outcome.status}`);
    if (outcome.isAborted) add(this.#aborted, operation);
    if (problem !== undefined) add(this.#errors, problem);
    this.#inferences.count(request, outcome);
    if (loss === undefined) return;
    this.#bytes += loss.bytes;
    for (let at = 0; at < STAGES.length; at++) {
      const seconds = loss.timings.seconds(STAGES[at]!);
      const counts = this.#stages[at]!;
      let bucket = 0;
      while (bucket < BUCKETS_S.length && seconds > BUCKETS_S[bucket]!) bucket++;
      counts[bucket]!++;
      counts[BUCKETS_S.length + 1]! += seconds;
    }
    if (problem === undefined && loss.input !== undefined) this.#elements += elementCount(loss.input.shape);
  }

  /** Counts an error of bytes that could not be read as a request. */
  countUnread(problem: ProblemCode): void {
    add(this.#requests, `other ${PROBLEMS[problem].status}`);
    add(this.#errors, problem);
  }

  #registerCounters(): void {
    const registers = [this.registry];
    const requests = new Counter({
      name: "lossd_requests_total",
      help: "Completed requests, by operation (other: not a loss) and HTTP status.",
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
    const aborted = new Counter({
      name: "lossd_responses_aborted_total",
      help: "Responses that began and were not sent to their end, by operation.",
      labelNames: ["operation"] as const,
      registers,
      collect: () => {
        for (const [operation, count] of this.#aborted) aborted.inc({ operation }, count);
        this.#aborted.clear();
      },
    });
    const errors = new Counter({
      name: "lossd_refusals_total",
      help: "Rejected requests, by error code.",
      labelNames: ["reason"] as const,
      registers,
      collect: () => {
        for (const [reason, count] of this.#errors) errors.inc({ reason }, count);
        this.#errors.clear();
      },
    });
    const bytes = new Counter({
      name: "lossd_request_bytes_total",
      help: "Bytes of bodies received.",
      registers,
      collect: () => {
        bytes.inc(this.#bytes);
        this.#bytes = 0;
      },
    });
    const elements = new Counter({
      name: "lossd_elements_total",
      help: "Elements of the inputs of computed losses.",
      registers,
      collect: () => {
        elements.inc(this.#elements);
        this.#elements = 0;
      },
    });
  }

  /** Registers the histogram as the registry collects it, because prom-client's cannot be filled from outside. */
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
      const buckets = [...BUCKETS_S, "+Inf"].map((le, bucket) => {
        sum += counts[bucket]!;
        return { metricName: `${name}_bucket`, labels: { le: String(le), stage }, value: sum };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: { stage }, value: counts[BUCKETS_S.length + 1]! },
        { metricName: `${name}_count`, labels: { stage }, value: sum },
      ];
    });
  }

  #registerGauges(arena: Arena, load: LoadEstimate): void {
    const registers = [this.registry];
    new Gauge({
      name: "lossd_reserved_bytes",
      help: "Bytes of the memory budget that requests have reserved.",
      registers,
      collect() {
        this.set(arena.reserved);
      },
    });
    new Gauge({
      name: "lossd_memory_budget_bytes",
      help: "Bytes that all requests can reserve.",
      registers,
      collect() {
        this.set(arena.capacity);
      },
    });
    new Gauge({
      name: "lossd_backlog_seconds",
      help: "Estimated CPU seconds that the larger requests in progress still take.",
      registers,
      collect() {
        this.set(load.seconds);
      },
    });
  }
}

/** Counts the log lines that this process could not write to standard output, by reason. */
export function registerDroppedLines(registry: Registry, dropped: Readonly<Record<string, number>>): void {
  const lines = new Counter({
    name: "lossd_log_lines_dropped_total",
    help: "Dropped log lines, by reason: the buffer was full, or the write failed.",
    labelNames: ["reason"] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(dropped)) lines.inc({ reason }, count);
    },
  });
}

/** Serves GET /metrics. `page` returns the text of one process or of a cluster. */
export function registerMetrics(app: FastifyInstance, page: () => Promise<string>): void {
  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) => {
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await page());
  });
}
