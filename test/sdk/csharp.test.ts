import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { missingTool, SDKS } from "../../openapi/sdk/sdks.ts";
import { isOffline, ROOT, shell } from "./tour.ts";

it("C# has the numbers, tensors and styles of test/sdk/csharp, which no compiler has seen", async ({
  skip,
}) => {
  const sdk = SDKS.find(({ language }) => language === "csharp")!;
  const missing = await missingTool(sdk);
  skip(missing !== undefined, `\`${missing}\` fails`);
  try {
    await shell("npm run -s sdk csharp", ROOT);
  } catch (error) {
    skip(isOffline(error), "no package registry can be reached");
    throw error;
  }
  for (const name of ["CrossEntropyResult", "ResultTensor", "NonFiniteStyle"]) {
    const generated = readFileSync(join(ROOT, `sdk/csharp/src/Lossd/Model/${name}.cs`), "utf8");
    expect(generated).toBe(readFileSync(join(ROOT, `test/sdk/csharp/${name}.cs.txt`), "utf8"));
  }
}, 180_000);
