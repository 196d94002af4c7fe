/** `npm run sdk [language...]`: generates SDKs into sdk/; by default every language with an installed toolchain. */
import { generate, missingTool, SDKS } from "./sdks.ts";

const LANGUAGES = SDKS.map(({ language }) => language);
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !LANGUAGES.includes(name));
if (unknown !== undefined) {
  const names = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(LANGUAGES);
  console.error(`expected ${names}, got ${unknown}`);
  process.exit(1);
}
for (const sdk of SDKS) {
  const { language, folders } = sdk;
  if (wanted.length > 0 && !wanted.includes(language)) continue;
  const missing = await missingTool(sdk);
  if (missing !== undefined) {
    console.log(`${language}: skipped, \`${missing}\` fails`);
    if (wanted.length > 0) process.exitCode = 1;
    continue;
  }
  await generate(sdk);
  console.log(`${language}: generated in ${folders.join(" and ")}`);
}
