/** docs/settings.md lists the settings of src/config/settings.ts by group, with their defaults and meanings, and no others. */
import { expect, it } from "vitest";
import { defaultText, SETTING_ENTRIES, SETTING_GROUPS } from "../../src/config/settings.ts";
import { readPage } from "../support/blocks.ts";

const page = readPage("docs/settings.md");

/** Rows of settings below a heading. */
function rowsBelow(heading: string): string[] {
  const [, text = ""] = page.split(`\n## ${heading}\n`);
  return text
    .split("\n## ")[0]!
    .split("\n")
    .filter((line) => /^\| `[A-Z_]+` \|/.test(line));
}

it.each(Object.entries(SETTING_GROUPS))("lists the settings of the group %s", (group, settings) => {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const value = defaultText(setting);
    return `| \`${name}\` | ${value === "" ? "none" : `\`${value}\``} | ${setting.description} |`;
  });
  expect(rowsBelow(group)).toEqual(rows);
});

it("has every setting in one group", () => {
  const grouped = Object.values(SETTING_GROUPS).flatMap((settings) => Object.keys(settings));
  expect(grouped).toEqual(SETTING_ENTRIES.map(([name]) => name));
  expect(new Set(grouped).size).toBe(grouped.length);
});
