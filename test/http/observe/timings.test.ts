/** Where a request's time goes, for all who ask once it is over. */
import { expect, it } from "vitest";
import { LossContext, STAGES, Timings } from "../../../src/http/context.ts";
import { LoadEstimate } from "../../../src/http/limits/load-estimate.ts";
import { Metrics } from "../../../src/http/observe/metrics.ts";
import { loadKernel } from "../../../src/kernel/load.ts";
import { Arena } from "../../../src/tensor/arena.ts";

const spin = (): void => {
  const start = performance.now();
  while (performance.now() === start);
};

it("the last stage counts up to the end, whichever it is", () => {
  for (const stage of STAGES) {
    const stages = new Timings();
    stages.enter(stage);
    const before = stages.seconds(stage);
    spin();
    stages.end();
    expect(stages.seconds(stage)).toBeGreaterThan(before);
  }
});

it("counting a request does not change its stages", () => {
  const kernel = loadKernel(0);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const loss = new LossContext({
    operation: "log_softmax",
    kernel,
    region: arena.reserve(1024),
    responseFormat: "json",
    compressResponses: false,
    coding: undefined,
    limit: { bytes: 1024, setting: "BODY_LIMIT" },
  });
  loss.timings.enter("write");
  spin();
  const seconds = () => STAGES.map((stage) => loss.timings.seconds(stage));
  const before = seconds();
  new Metrics(arena, new LoadEstimate(0)).count({ context: { loss } } as never, {
    operation: "log_softmax",
    route: undefined,
    status: 200,
    isAborted: false,
    ms: 1,
    bytesSent: 1,
  });
  expect(seconds()).toEqual(before);
});
