/** `npm run pictures` runs this, too: takes the pictures of the playground in README.md, in chromium, from the built server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";
import { fixedEnvironment, portOf } from "./processes.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
/** CSS pixels. README.md shows them in 880, so that text stays readable. */
const VIEWPORT = { width: 1100, height: 720 };
const QUALITY = 0.85;

/** Returns the first screen of a page as WebP, which only a canvas of the browser writes. */
async function screenshot(browser: Browser, url: string, colorScheme: "light" | "dark"): Promise<Buffer> {
  const context = await browser.newContext({ colorScheme, viewport: VIEWPORT, deviceScaleFactor: 1.5 });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForLoadState("networkidle");
  const png = `data:image/png;base64,${(await page.screenshot()).toString("base64")}`;
  // Elsewhere, because the page's policy allows no canvas to read a picture.
  await page.goto("about:blank");
  const webp = await page.evaluate(
    async ({ png, quality }) => {
      const image = new Image();
      image.src = png;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      canvas.getContext("2d")!.drawImage(image, 0, 0);
      return canvas.toDataURL("image/webp", quality);
    },
    { png, quality: QUALITY },
  );
  await context.close();
  return Buffer.from(webp.slice(webp.indexOf(",") + 1), "base64");
}

const server = spawn(process.execPath, [MAIN], {
  env: fixedEnvironment({ PORT: "0", WORKERS: "1", DRAIN_LAG_MS: "0" }),
  stdio: ["ignore", "pipe", "pipe"],
});
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
try {
  const url = `http://127.0.0.1:${await portOf(server)}/`;
  for (const theme of ["light", "dark"] as const) {
    const bytes = await screenshot(browser, url, theme);
    writeFileSync(new URL(`../docs/pictures/playground-${theme}.webp`, import.meta.url), bytes);
  }
} finally {
  await browser.close();
  server.kill();
  await once(server, "exit");
}
