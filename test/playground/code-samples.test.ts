/** Code samples of the playground: each sends the body of the form, digit by digit. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Language } from "../../playground/request/code-samples.ts";
import { codeSample } from "../../playground/request/code-samples.ts";

const run = promisify(execFile);
const COMMANDS: Readonly<Record<Language, readonly [string, ...string[]]>> = {
  curl: ["bash", "-c"],
  Python: ["python3", "-c"],
  TypeScript: [process.execPath, "--input-type=module-typescript", "-e"],
};

describe.each(["curl", "Python", "TypeScript"] as const)("a sample in %s", (language) => {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    bodies.push(await text(request));
    response.setHeader("content-type", "application/json").end("{}");
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => server.close());

  async function send(body: Record<string, unknown>): Promise<string> {
    const { port } = server.address() as AddressInfo;
    const [command, ...options] = COMMANDS[language];
    await run(command, [...options, codeSample(language, `http://127.0.0.1:${port}/`, body, false)]);
    return bodies.at(-1)!.replaceAll(/\s/g, "");
  }

  it.each([
    ["2^53 + 1", 9007199254740993n, "9007199254740993"],
    ["-2^63", -(2n ** 63n), "-9223372036854775808"],
    ["-100", -100, "-100"],
    ["-0", -0, "-0.0"],
  ])(
    "sends an ignore_index of %s, and a target of the same value, digit by digit",
    async (_name, value, digits) => {
      const body = { input: [[1, 2]], target: [value], ignore_index: value, return_grad: true };
      expect(await send(body)).toBe(
        `{"input":[[1,2]],"target":[${digits}],"ignore_index":${digits},"return_grad":true}`,
      );
    },
  );
});
