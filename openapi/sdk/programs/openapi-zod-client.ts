import { createApiClient } from "./lossd/lossd";

const api = createApiClient(process.env.LOSSD_URL!);

async function loss(target: number): Promise<number | null | undefined | string> {
  const input = { shape: [1, 3], data: [2, 1, 0] };
  const body = { input, target: { shape: [1], data: [target] }, non_finite: "null" as const };
  return (await api.post("/v1/cross_entropy", body)).loss;
}

(async () => {
  console.log("loss", await loss(0));
  console.log("nan", await loss(-100));
})();
