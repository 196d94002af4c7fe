/** docs/options.md has each option of each operation once, with its default, and no others. */
import { expect, it } from "vitest";
import { LOSSES } from "../../src/loss/names.ts";
import { readPage } from "../support/blocks.ts";

const { components } = JSON.parse(readPage("openapi/openapi.json"));

/** The words of the column "of" that stand for several operations. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  all: LOSSES,
  losses: LOSSES.filter((name) => name !== "log_softmax"),
};

const wordsOf = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word!);

/** Lines of "operation option default", for each row of a table of options. */
function listed(): string[] {
  const rows = readPage("docs/options.md").matchAll(/^\| (`.+?`) \| (.+?) \| (.+?) \|/gm);
  return [...rows].flatMap(([, names, of, byDefault]) => {
    const operations = GROUPS[of!] ?? wordsOf(of!);
    return operations.flatMap((operation) =>
      wordsOf(names!).map((name) => `${operation} ${name} ${byDefault}`),
    );
  });
}

/** The same lines from the request schemas. */
function specified(): string[] {
  return LOSSES.flatMap((operation) => {
    const schema = operation.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
    const { properties, required } = components.schemas[`${schema}Request`];
    return Object.entries<{ default?: unknown }>(properties)
      .filter(([name]) => !required.includes(name))
      .map(([name, field]) => {
        const byDefault = field.default === undefined ? "none" : `\`${JSON.stringify(field.default)}\``;
        return `${operation} ${name} ${byDefault}`;
      });
  });
}

it("lists every option of every operation once, with its default", () => {
  expect(listed().sort()).toEqual(specified().sort());
});
