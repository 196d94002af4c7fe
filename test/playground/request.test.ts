/** Options of the playground's requests, resolved like the API resolves them. */
import { expect, it } from "vitest";
import { reductionOf } from "../../playground/request.ts";
import { useService } from "../support/service.ts";

const service = useService();

it.each([
  [{}, "mean"],
  [{ reduction: "none" }, "none"],
  [{ reduction: "elementwise_mean" }, "mean"],
  [{ reduction: "none", size_average: false }, "sum"],
  [{ reduction: "sum", reduce: true }, "mean"],
  [{ size_average: true, reduce: false }, "none"],
])("%j reduces by %s, as the API does", async (words, reduction) => {
  const body = { input: [[1, 2]], target: [0], ...words };
  expect(reductionOf(words)).toBe(reduction);
  const { json } = await service().post("/v1/cross_entropy", body);
  const same = await service().post("/v1/cross_entropy", {
    ...body,
    size_average: null,
    reduce: null,
    reduction,
  });
  expect([json.loss, json.losses]).toEqual([same.json.loss, same.json.losses]);
});
