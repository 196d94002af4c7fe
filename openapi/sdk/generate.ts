/** `npm run sdk [language...]`: generates SDKs into sdk/; by default every language with an installed toolchain. */
import { rmSync } from "node:fs";
import { missingTool, run, SDKS } from "./sdks.ts";

const LANGUAGES = SDKS.map(({ language }) => language);
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !LANGUAGES.includes(name));
if (unknown !== undefined) {
  const names = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(LANGUAGES);
  console.error(`expected ${names}, got ${unknown}`);
  process.exit(1);
}
for (const sdk of SDKS) {
  const { language, generate, folders } = sdk;
  if (wanted.length > 0 && !wanted.includes(language)) continue;
  const missing = await missingTool(sdk);
  if (missing !== undefined) {
    console.log(`${language}: skipped, \`${missing}\` fails`);
    if (wanted.length > 0) process.exitCode = 1;
    continue;
  }
  // Removes old files, because the generators keep them.
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  for (const command of generate) await run(command);
  console.log(`${language}: generated in ${folders.join(" and ")}`);
}
