/** A refusal of what is too large names the limit that refused it, in bytes, and the setting that moves it. */
import { expect, it } from "vitest";
import { useService } from "../../support/service.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** MEMORY_BUDGET is the narrower limit. */
const narrow = useService({ memoryBudget: MiB, bodyLimit: 64 * MiB });
/** BODY_LIMIT and STREAM_LIMIT are. */
const wide = useService({ bodyLimit: 64 * KiB, streamLimit: 128 * KiB });

const JSON_TYPE = "application/json";
const FILE_TYPE = "application/vnd.safetensors";

/** Bytes of a body that says nothing: limits are checked before anything is read. */
const post = (service: ReturnType<typeof narrow>, path: string, bytes: number, type: string) =>
  service.send("POST", path, Buffer.alloc(bytes, " "), { "content-type": type });

it.each([
  ["/v1/cross_entropy", 500_000],
  ["/v1/cross_entropy", 2 * MiB],
  ["/v2/models/cross_entropy/infer", 500_000],
])("a body to %s of %d bytes under MEMORY_BUDGET=1048576 names MEMORY_BUDGET", async (path, bytes) => {
  const { status, json } = await post(narrow(), path, bytes, JSON_TYPE);
  const text = json.detail ?? json.error;
  expect([status, text]).toEqual([413, expect.stringContaining(" bytes (MEMORY_BUDGET), got ")]);
  expect(text).toContain(`${4 * bytes} bytes that the numbers of a body of ${bytes} bytes may take`);
  const [, limit] = /expected at most (\d+) bytes/.exec(text)!;
  expect(Number(limit)).toBeLessThan(4 * bytes);
  // A body within the limit that is named is let in.
  expect((await post(narrow(), path, Math.floor(Number(limit) / 4), JSON_TYPE)).status).not.toBe(413);
});

it.each([
  ["/v1/cross_entropy", JSON_TYPE, "65536 bytes (BODY_LIMIT)"],
  ["/v1/cross_entropy", FILE_TYPE, "131072 bytes (STREAM_LIMIT)"],
  ["/v2/models/cross_entropy/infer", JSON_TYPE, "65536 bytes (BODY_LIMIT)"],
])("a body to %s of %s over its own limit names %s", async (path, type, limit) => {
  const { status, json } = await post(wide(), path, 200_000, type);
  expect([status, json.detail ?? json.error]).toEqual([
    413,
    expect.stringContaining(`expected at most ${limit}, got 200000 bytes`),
  ]);
});
