/** The programs of docs/formats.md that write and read safetensors files in Go and Java, with nothing but their standard libraries. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { blocksOf, readPage } from "../support/blocks.ts";
import { useService } from "../support/service.ts";
import { ADDRESS } from "./tour.ts";

const service = useService();
const execute = promisify(execFile);

const PROGRAMS = [
  { language: "go", file: "main.go", tool: ["go", "version"], start: ["go", "run", "main.go"] },
  { language: "java", file: "Loss.java", tool: ["java", "-version"], start: ["java", "Loss.java"] },
] as const;

for (const { language, file, tool, start } of PROGRAMS) {
  const isFound = spawnSync(tool[0], [tool[1]]).status === 0;
  it.skipIf(!isFound)(
    `the program in ${language} prints the loss and the gradient`,
    async () => {
      const programs = blocksOf(readPage("docs/formats.md")).filter((block) => block.language === language);
      expect(programs.length).toBe(1);
      const folder = mkdtempSync(join(tmpdir(), `lossd-file-${language}-`));
      try {
        writeFileSync(join(folder, file), programs[0]!.text.replace(ADDRESS, service().url));
        const [command, ...options] = start;
        const { stdout } = await execute(command, options, { cwd: folder });
        expect(stdout.match(/-?\d+\.\d+/g)!.map(Number)).toEqual(
          [Math.fround(Math.LN2), 0.5, -0.5].map((value) => expect.closeTo(value, 6)),
        );
        if (language === "go") expect((await execute("gofmt", ["-l", "."], { cwd: folder })).stdout).toBe("");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    300_000,
  );
}
