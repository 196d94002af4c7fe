import pino from "pino";
import { buildApp } from "../src/http/app.ts";
import { LoadEstimate } from "../src/http/limits/load-estimate.ts";
import { MemoryQueue } from "../src/http/limits/memory-queue.ts";
import { Metrics } from "../src/http/observe/metrics.ts";
import { openApi30Json, openApiJson, openApiYaml } from "../src/http/openapi/routes.ts";
import { loadKernel } from "../src/kernel/load.ts";
import { Arena } from "../src/tensor/arena.ts";

/** The contract as the server would answer it, without listening. */
export async function renderContract(): Promise<{ json: string; yaml: string; json30: string }> {
  const kernel = loadKernel(0);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const load = new LoadEstimate(0);
  const app = await buildApp({
    engine: { kernel, arena, load, queue: new MemoryQueue(arena, 0), bodyLimit: 0, streamLimit: 0 },
    lifecycle: { phase: "starting" },
    metrics: new Metrics(arena, load),
    metricsText: async () => "",
    logger: pino({ level: "silent" }),
  });
  await app.ready();
  const rendered = { json: openApiJson(app), yaml: openApiYaml(app), json30: openApi30Json(app) };
  await app.close();
  return rendered;
}
