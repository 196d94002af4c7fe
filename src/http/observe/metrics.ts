/** Metrics in Prometheus' text format: base units, `_total` on counters, few labels. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { LossName } from "../../loss/names.ts";
import { LOSSES } from "../../loss/names.ts";
import type { ProblemCode } from "../../problems.ts";
import { PROBLEMS } from "../../problems.ts";
import type { Arena } from "../../tensor/arena.ts";
import { elementCount } from "../../tensor/tensor.ts";
import type { Outcome, Stage } from "../context.ts";
import { CLIENT_GONE, STAGES } from "../context.ts";
import type { LoadEstimate } from "../limits/load-estimate.ts";
import { Observations, registerHistogram } from "./histogram.ts";
import { InferenceCounts } from "./inferences.ts";
import { registerBuild } from "./process-metrics.ts";

/** Value of the label `operation`. Requests for no loss are `other`. */
type OperationLabel = LossName | "other";

/** Statuses whose counts start at 0, because the rate of a series without a first sample of 0 lacks its first error. */
const FIRST_STATUSES = [200, CLIENT_GONE, PROBLEMS.internal_error.status, PROBLEMS.overloaded.status];

/** Requests of one operation. */
class Tally {
  readonly statuses = new Map<number, number>(FIRST_STATUSES.map((status) => [status, 0]));
  readonly durations = new Observations();
  aborted = 0;

  count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}

function recordOf<Name extends string, Value>(
  names: readonly Name[],
  make: () => Value,
): Readonly<Record<Name, Value>> {
  return Object.fromEntries(names.map((name) => [name, make()])) as Record<Name, Value>;
}

/** Counts requests and passes the numbers to prom-client at collection, because its bookkeeping would take a tenth of a small request's time. */
export class Metrics {
  readonly registry = new Registry();
  readonly #inferences = new InferenceCounts(this.registry);
  readonly #tallies = recordOf<OperationLabel, Tally>([...LOSSES, "other"], () => new Tally());
  readonly #stages = recordOf<Stage, Observations>(STAGES, () => new Observations());
  readonly #refusals: Record<ProblemCode, number> = recordOf(Object.keys(PROBLEMS) as ProblemCode[], () => 0);
  #inFlight = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #elements = 0;

  constructor(arena: Arena, load: LoadEstimate) {
    this.#registerRequests();
    this.#registerSizes();
    this.#registerTimes();
    this.#registerGauges(arena, load);
    registerBuild(this.registry);
    // Samples event loop lag with a timer, so requests have no overhead.
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts a request as in flight until `count`. */
  begin(): void {
    this.#inFlight++;
  }

  /** Counts a completed request. */
  count(request: FastifyRequest, outcome: Outcome): void {
    const { context } = request;
    this.#inFlight--;
    const tally = this.#tallies[outcome.operation ?? "other"];
    tally.count(outcome.status);
    tally.durations.add(outcome.ms / 1000);
    if (outcome.isAborted) tally.aborted++;
    this.#responseBytes += outcome.bytesSent;
    const problem = context?.problem;
    if (problem !== undefined) this.#refusals[problem]++;
    const loss = context?.loss;
    if (outcome.model !== undefined) this.#inferences.count(outcome.model, loss, outcome);
    if (loss === undefined) return;
    this.#requestBytes += loss.bytes;
    for (const stage of STAGES) this.#stages[stage].add(loss.timings.seconds(stage));
    if (problem === undefined && loss.input !== undefined) this.#elements += elementCount(loss.input.shape);
  }

  /** Counts an error of bytes that could not be read as a request. */
  countUnread(problem: ProblemCode): void {
    this.#tallies.other.count(PROBLEMS[problem].status);
    this.#refusals[problem]++;
  }

  #registerRequests(): void {
    const registers = [this.registry];
    const tallies = Object.entries(this.#tallies);
    const refusals = this.#refusals;
    new Counter({
      name: "lossd_requests_total",
      help: "Completed requests, by operation (other: not a loss) and HTTP status (499: the client left before its response).",
      labelNames: ["operation", "status"] as const,
      registers,
      collect() {
        this.reset();
        for (const [operation, { statuses }] of tallies)
          for (const [status, count] of statuses) this.inc({ operation, status }, count);
      },
    });
    new Counter({
      name: "lossd_responses_aborted_total",
      help: "Responses that began and were not sent to their end, by operation.",
      labelNames: ["operation"] as const,
      registers,
      collect() {
        this.reset();
        for (const [operation, { aborted }] of tallies) this.inc({ operation }, aborted);
      },
    });
    new Counter({
      name: "lossd_refusals_total",
      help: "Rejected requests, by error code.",
      labelNames: ["reason"] as const,
      registers,
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(refusals)) this.inc({ reason }, count);
      },
    });
  }

  #registerSizes(): void {
    this.#registerTotal(
      "lossd_request_bytes_total",
      "Bytes received in bodies of losses, after decompression.",
      () => this.#requestBytes,
    );
    this.#registerTotal(
      "lossd_response_bytes_total",
      "Bytes of responses sent, with their heads.",
      () => this.#responseBytes,
    );
    this.#registerTotal(
      "lossd_elements_total",
      "Elements of the inputs of computed losses.",
      () => this.#elements,
    );
  }

  #registerTotal(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  #registerTimes(): void {
    const durations = Object.entries(this.#tallies).map(([name, tally]) => [name, tally.durations] as const);
    registerHistogram(
      this.registry,
      {
        name: "lossd_request_duration_seconds",
        help: "Seconds from the head of a request to the end of its response, by operation (other: not a loss).",
        label: "operation",
      },
      Object.fromEntries(durations),
    );
    registerHistogram(
      this.registry,
      {
        name: "lossd_request_stage_seconds",
        help: "Seconds that a loss spent waiting for its turn, reading, decoding, computing, encoding and writing.",
        label: "stage",
      },
      this.#stages,
    );
  }

  #registerGauges(arena: Arena, load: LoadEstimate): void {
    this.#registerGauge(
      "lossd_requests_in_flight",
      "Requests that have begun and not ended, with the scrape itself if /metrics is on PORT.",
      () => this.#inFlight,
    );
    this.#registerGauge(
      "lossd_reserved_bytes",
      "Bytes of the memory budget that requests have reserved.",
      () => arena.reserved,
    );
    this.#registerGauge(
      "lossd_memory_budget_bytes",
      "Bytes that all requests can reserve.",
      () => arena.capacity,
    );
    this.#registerGauge(
      "lossd_backlog_seconds",
      "Estimated CPU seconds that the larger requests in progress still take.",
      () => load.seconds,
    );
  }

  #registerGauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }
}

/** Serves GET /metrics. `page` returns the text of one process or of a cluster. */
export function registerMetrics(app: FastifyInstance, page: () => Promise<string>): void {
  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) => {
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await page());
  });
}
