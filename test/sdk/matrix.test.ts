/** docs/sdk.md says of the generators what `npm run sdk:matrix` found. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { GENERATORS } from "../../openapi/sdk/generators.ts";
import type { Row } from "../../openapi/sdk/matrix-table.ts";
import { toTable } from "../../openapi/sdk/matrix-table.ts";
import { readPage } from "../support/blocks.ts";

const rows: readonly Row[] = JSON.parse(readPage("openapi/sdk/matrix.json"));

it("the table of generators in docs/sdk.md is what the matrix recorded", () => {
  const [, table] = /<!-- table: generators -->\n\n((?:\|.*\n)+)/.exec(readPage("docs/sdk.md"))!;
  expect(table).toBe(toTable(rows));
});

it("the matrix has a row for each generator and document, of the version and settings that it was run with", () => {
  const tried = GENERATORS.flatMap(({ name, version, settings, documents }) =>
    documents.map((document) => ({ generator: name, version, document, settings })),
  );
  expect(
    rows.map(({ generator, version, document, settings }) => ({ generator, version, document, settings })),
  ).toEqual(tried);
});

it("no row of the matrix claims a step whose earlier step did not work, and no loss or NaN is silently wrong", () => {
  for (const { generator, document, generates, compiles, loss, nan } of rows) {
    const title = `${generator} ${document}`;
    expect(generates, title).toMatch(/^(yes|no|generated only|not run)$/);
    expect(compiles, title).toMatch(generates === "yes" ? /^(yes|no)$/ : /^not run$/);
    expect(loss, title).toMatch(compiles === "yes" ? /^(yes|no)$/ : /^not run$/);
    expect(nan, title).toMatch(loss === "yes" ? /^(right|error)$/ : /^not run$/);
  }
});

it("each program of the matrix is run by a generator", () => {
  for (const { name, documents, program } of GENERATORS) {
    const files = documents.map((document) => program?.[0].replace("$DOC", document));
    const found = files.filter((file) => file && existsSync(`openapi/sdk/programs/${file}`));
    expect(found.length > 0, name).toBe(program !== undefined);
    for (const file of found)
      expect(readFileSync(`openapi/sdk/programs/${file}`, "utf8"), file).toContain("LOSSD_URL");
  }
});
