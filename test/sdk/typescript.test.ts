/** The SDK for TypeScript, and the other uses of its generators, which write to the same folders. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "../../openapi/sdk/sdks.ts";
import { digestTokens } from "../../src/http/server/auth.ts";
import { blocksOf, expectPrinted, readPage } from "../support/blocks.ts";
import { useService } from "../support/service.ts";
import { ADDRESS, isOffline, ROOT, shell, TOKEN, TSC, testSdk } from "./tour.ts";

const open = useService();
const guarded = useService({ tokens: digestTokens([TOKEN]) });

testSdk("typescript");

it("the client of the whole contract passes its tour, with nested lists", async ({ skip }) => {
  skip(!existsSync(join(ROOT, "sdk/openapi-ts")), "it is not generated");
  await run("node_modules/.bin/tsc -p test/sdk/tsconfig.json");
  expect(await run("node test/sdk/openapi-ts.ts", guarded().url, TOKEN)).toMatch(/^10 steps passed$/m);
}, 60_000);

it("docs/start.md comes to a generated SDK by copying", async ({ skip }) => {
  const [, section = ""] = /^## From a generated SDK$([\s\S]*?)^## /m.exec(readPage("docs/start.md"))!;
  const [generate, generated, program, printed] = blocksOf(section).map(({ text }) => text);
  const answer = await shell(generate!, ROOT).catch((error: unknown) => {
    skip(isOffline(error), "no package registry can be reached");
    throw error;
  });
  expect(answer).toBe(generated);
  expectPrinted(await shell(program!.replace(ADDRESS, open().url), ROOT), printed!);
  expect(await shell(`${TSC} --ignoreConfig sdk/first.ts`, ROOT)).toBe("");
}, 60_000);

it("npm run sdk refuses a language that it does not know", async () => {
  await expect(run("node openapi/sdk/generate.ts", "cobol")).rejects.toThrow(
    "expected typescript, python, java, kotlin, go, rust or csharp, got cobol",
  );
});
