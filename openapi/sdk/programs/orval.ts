import { crossEntropy } from "./lossd/lossd";

const { fetch } = globalThis;
globalThis.fetch = (path, init) => fetch(`${process.env.LOSSD_URL}${path}`, init);

async function loss(target: number): Promise<number | null | undefined | string> {
  const input = { shape: [1, 3], data: [2, 1, 0] };
  const body = { input, target: { shape: [1], data: [target] }, non_finite: "null" as const };
  const answer = await crossEntropy(body);
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
  if (answer.data instanceof Blob) throw new Error("bytes");
  return answer.data.loss;
}

(async () => {
  console.log("loss", await loss(0));
  console.log("nan", await loss(-100));
})();
