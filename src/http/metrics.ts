/** What operators watch, in Prometheus' text format: base units, `_total` on counters, few labels. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Arena } from "../tensor/arena.ts";
import { elementCount } from "../tensor/tensor.ts";
import { STAGES } from "./stages.ts";

/** From a small request's microseconds to a large upload's minutes. */
const BUCKETS = [0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120];

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: "lossd_requests_total",
    help: "Requests that have been answered, by operation (other: not a loss) and HTTP status.",
    labelNames: ["operation", "status"] as const,
    registers: [this.registry],
  });
  readonly #stages = new Histogram({
    name: "lossd_request_stage_seconds",
    help: "Seconds that a loss spent waiting for its turn, reading, decoding, computing, encoding and writing.",
    labelNames: ["stage"] as const,
    buckets: BUCKETS,
    registers: [this.registry],
  });
  readonly #bytes = new Counter({
    name: "lossd_request_bytes_total",
    help: "Bytes of bodies that have arrived.",
    registers: [this.registry],
  });
  readonly #elements = new Counter({
    name: "lossd_elements_total",
    help: "Elements of the inputs of losses that were answered.",
    registers: [this.registry],
  });
  readonly #refusals = new Counter({
    name: "lossd_refusals_total",
    help: "Requests that were refused, by the code of the problem.",
    labelNames: ["reason"] as const,
    registers: [this.registry],
  });

  constructor(arena: Arena) {
    const { registry } = this;
    new Gauge({
      name: "lossd_reserved_bytes",
      help: "Bytes of the memory budget that requests have reserved now.",
      registers: [registry],
      collect() {
        this.set(arena.reserved);
      },
    });
    new Gauge({
      name: "lossd_memory_budget_bytes",
      help: "Bytes that requests can reserve together.",
      registers: [registry],
      collect() {
        this.set(arena.capacity);
      },
    });
    // Lag is sampled by a timer of its own, which costs nothing beside the requests.
    collectDefaultMetrics({ register: registry });
  }

  /** Counts a request whose answer has left. */
  count(request: FastifyRequest, reply: FastifyReply): void {
    const { job, problem } = request;
    this.#requests.inc({ operation: job?.operation ?? "other", status: String(reply.statusCode) });
    if (problem !== undefined) this.#refusals.inc({ reason: problem });
    if (job === undefined) return;
    job.stages.enter("write");
    this.#bytes.inc(job.bytes);
    for (const stage of STAGES) this.#stages.observe({ stage }, job.stages.seconds(stage));
    const input = job.operand("input");
    if (problem === undefined && input !== undefined) this.#elements.inc(elementCount(input.shape));
  }
}

/** GET /metrics. `page` gives the text, of one process or of a whole group. */
export function registerMetrics(app: FastifyInstance, page: () => Promise<string>): void {
  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) => {
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await page());
  });
}
