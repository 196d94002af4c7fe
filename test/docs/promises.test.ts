/** The promises that are cheap to prove, and the page that lists all of them. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PROMISES } from "../../promises/all.ts";

describe("promised", () => {
  it.for(PROMISES.filter(({ isCheap }) => isCheap))(
    "$id: $text",
    // R12 takes 25 s, and beside other tests longer.
    { timeout: 120_000 },
    async ({ prove }, { skip }) => {
      const { value, holds } = await prove();
      skip(holds === undefined, value);
      expect(holds, value).toBe(true);
    },
  );
});

describe("PROMISES.md", () => {
  const page = readFileSync(new URL("../../PROMISES.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (R\d+) \| (.+?) \| (.+) \| (.+) \|$/gm)];

  it("lists every promise in its words, in order", () => {
    expect(rows.map(([, id, text]) => ({ id, text }))).toEqual(
      PROMISES.map(({ id, text }) => ({ id, text })),
    );
  });

  it("says why each one that does not hold does not", () => {
    const broken = rows.filter(([, , , , verdict]) => verdict !== "holds").map(([, id]) => id);
    for (const id of broken) expect(page).toContain(`- **${id}.**`);
  });
});
