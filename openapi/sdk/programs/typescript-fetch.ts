import { Configuration, LossdApi } from "./lossd";

const api = new LossdApi(new Configuration({ basePath: process.env.LOSSD_URL! }));

async function loss(target: number): Promise<number | null | undefined | string> {
  const input = { shape: [1, 3], data: [2, 1, 0] };
  const crossEntropyRequest = { input, target: { shape: [1], data: [target] }, nonFinite: "null" as const };
  return (await api.crossEntropy({ crossEntropyRequest })).loss;
}

(async () => {
  console.log("loss", await loss(0));
  console.log("nan", await loss(-100));
})();
