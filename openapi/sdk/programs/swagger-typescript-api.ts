import { Api } from "./lossd/lossd";

const api = new Api({ baseUrl: process.env.LOSSD_URL! });

async function loss(target: number): Promise<number | null | undefined | string> {
  const input = { shape: [1, 3], data: [2, 1, 0] };
  const body = { input, target: { shape: [1], data: [target] }, non_finite: "null" as const };
  const { data } = await api.v1.crossEntropy(body as Parameters<typeof api.v1.crossEntropy>[0]);
  return data.loss;
}

(async () => {
  console.log("loss", await loss(0));
  console.log("nan", await loss(-100));
})();
