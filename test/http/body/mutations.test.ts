/** Broken safetensors files by the thousand: documented refusals, no failure, no growth. */
import { expect, it } from "vitest";
import { PROBLEMS } from "../../../src/problems.ts";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { chunked } from "../../support/chunked.ts";
import { integers } from "../../support/random.ts";
import { useService } from "../../support/service.ts";

const service = useService({ memoryBudget: 16 * 1024 * 1024, bodyLimit: 64 * 1024 });

/** Promise R5 asks for 100,000 (promises/tested.ts), which take half a minute. */
const MUTATIONS = Number(process.env.MUTATIONS ?? 20_000);
const AT_ONCE = 8;

const FILES: readonly (readonly [path: string, file: Buffer])[] = [
  [
    "/v1/cross_entropy?return_grad=true",
    writeTestFile({ input: tensor("float32", [3, 5], Math.sin), target: tensor("int64", [3], (at) => at) }),
  ],
  [
    "/v1/nll_loss?reduction=none",
    writeTestFile(
      {
        target: tensor("int64", [2, 2], (at) => at % 3),
        input: tensor("float16", [2, 3, 2], Math.cos),
        weight: tensor("float16", [3], () => 1),
      },
      { asTheyStand: true, metadata: { ignore_index: "-1" } },
    ),
  ],
  ["/v1/log_softmax?dim=0", writeTestFile({ input: tensor("bfloat16", [4, 2], Math.sin) })],
];

/** A file with a few bytes flipped, left out, doubled, or with a digit of its header changed. */
function mutate(file: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(file);
  for (let count = 1 + random(3); count > 0; count--) {
    // Most of what can be said wrongly is said in the header.
    const at = random(4) === 0 ? random(bytes.length) : random(Math.min(bytes.length, 300));
    const kind = random(5);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes = bytes.subarray(0, at);
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(8))]);
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 8))]);
    else {
      const digit = bytes.findIndex((byte, place) => place >= at && byte >= 48 && byte < 58);
      if (digit >= 0) bytes[digit] = 48 + random(10);
    }
    if (bytes.length === 0) return Buffer.from([random(256)]);
  }
  return bytes;
}

it(`${MUTATIONS} mutated files get a documented answer each, and every byte of memory comes back`, async () => {
  const random = integers(20_261_124);
  const statuses = new Map<string, number>();
  let left = MUTATIONS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const [path, file] = FILES[random(FILES.length)]!;
      const body = mutate(file, random);
      // In one piece or as a stream.
      const sent = random(2) === 0 ? body : chunked(body);
      const answer = await service().send("POST", path, sent, {
        "content-type": "application/vnd.safetensors",
      });
      const code = answer.status === 200 ? "ok" : answer.json.code;
      statuses.set(code, (statuses.get(code) ?? 0) + 1);
      if (answer.status === 200) continue;
      const { status } = PROBLEMS[code as keyof typeof PROBLEMS];
      if (status !== answer.status || status >= 500) {
        throw new Error(`${answer.status} ${answer.text} to ${path} ${body.toString("base64")}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await expect.poll(() => service().arena.reserved).toBe(0);
  // The mutations reach what they are for.
  for (const code of ["ok", "malformed_safetensors", "invalid_safetensors", "shape_data_mismatch"]) {
    expect(statuses.get(code), code).toBeGreaterThan(100);
  }
}, 300_000);
