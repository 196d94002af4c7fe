/** SDKs of four languages, generated, compiled and used against a real server; docs/sdk.md shows what these programs say. */
import { describe, expect, it } from "vitest";
import { obstacle, run, SDKS } from "../openapi/sdk/sdks.ts";
import { readTokens } from "../src/http/tokens.ts";
import { useService } from "./service.ts";

const TOKEN = "a-token";
const service = useService({ tokens: readTokens(TOKEN) });

describe.each(SDKS)("the SDK for $language", ({ needs, tools, generate, packages, compile, tours }) => {
  it("is generated, compiles, and passes its tour", async ({ skip }) => {
    const missing = await obstacle([...needs, ...tools]);
    skip(missing !== undefined, `\`${missing}\` fails`);
    for (const command of generate) await run(command);
    const unmet = await obstacle(packages);
    skip(unmet !== undefined, `\`${unmet}\` fails`);
    for (const command of compile) await run(command);
    for (const tour of tours) {
      expect(await run(tour, service().url, TOKEN), tour).toMatch(/^10 steps passed$/m);
    }
  }, 120_000);
});
