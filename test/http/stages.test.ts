/** Where a request's time goes, for all who ask once it is over. */
import { expect, it } from "vitest";
import { Backlog } from "../../src/http/backlog.ts";
import { Job } from "../../src/http/job.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { STAGES, Stages } from "../../src/http/stages.ts";
import { loadKernel } from "../../src/kernel/kernel.ts";
import { Arena } from "../../src/tensor/arena.ts";

const spin = (): void => {
  const start = performance.now();
  while (performance.now() === start);
};

it("the last stage counts up to the end, whichever it is", () => {
  for (const stage of STAGES) {
    const stages = new Stages();
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
  const job = new Job("logSoftmax", { kernel, region: arena.reserve(1024) });
  job.stages.enter("write");
  spin();
  const seconds = () => STAGES.map((stage) => job.stages.seconds(stage));
  const before = seconds();
  new Metrics(arena, new Backlog(0)).count({ job } as never, { raw: { headersSent: true } } as never);
  expect(seconds()).toEqual(before);
});
