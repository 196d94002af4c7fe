/** Metrics of processes instead of requests. The primary of a cluster has them, too. */
import type { Registry } from "prom-client";
import { Counter, Gauge } from "prom-client";
import { VERSION } from "../../version.ts";

/** Registers the version as a label of a constant 1, for joins with other series. */
export function registerBuild(registry: Registry): void {
  new Gauge({
    name: "lossd_build_info",
    help: "1, with the version as a label.",
    labelNames: ["version"] as const,
    registers: [registry],
    // Stays 1 in a cluster of several processes.
    aggregator: "max",
  }).set({ version: VERSION }, 1);
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

/** Returns a counter of the workers that exited while the cluster served. */
export function registerWorkerExits(registry: Registry): { inc(): void } {
  return new Counter({
    name: "lossd_worker_exits_total",
    help: "Workers that exited without a shutdown. The cluster replaces them.",
    registers: [registry],
  });
}
