import { crossEntropy } from "./lossd";
import { client } from "./lossd/client.gen";

client.setConfig({ baseUrl: process.env.LOSSD_URL! });

async function loss(target: number): Promise<number | null | undefined | string> {
  const input = { shape: [1, 3], data: [2, 1, 0] };
  const body = { input, target: { shape: [1], data: [target] }, non_finite: "null" as const };
  const { data } = await crossEntropy({ body, throwOnError: true });
  if (data instanceof Blob) throw new Error("bytes");
  return data.loss;
}

(async () => {
  console.log("loss", await loss(0));
  console.log("nan", await loss(-100));
})();
