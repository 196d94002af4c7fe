import createClient from "openapi-fetch";
import type { paths } from "./lossd/lossd";

const client = createClient<paths>({ baseUrl: process.env.LOSSD_URL! });

async function loss(target: number): Promise<number | null | undefined | string> {
  const input = { shape: [1, 3], data: [2, 1, 0] };
  const body = { input, target: { shape: [1], data: [target] }, non_finite: "null" as const };
  const { data, error } = await client.POST("/v1/cross_entropy", { body });
  if (data === undefined) throw new Error(error.detail);
  // Of openapi.json an answer may also be the bytes of a safetensors file.
  if (typeof data === "string") throw new Error("bytes");
  return data.loss;
}

(async () => {
  console.log("loss", await loss(0));
  console.log("nan", await loss(-100));
})();
