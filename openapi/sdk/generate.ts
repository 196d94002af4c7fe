/** `npm run sdk [language...]`: generates SDKs into sdk/; without a language all whose toolchain is on the machine. */
import { obstacle, run, SDKS } from "./sdks.ts";

const wanted = process.argv.slice(2);
for (const { language, needs, tools, generate } of SDKS) {
  if (wanted.length > 0 && !wanted.includes(language)) continue;
  const missing = await obstacle([...needs, ...tools]);
  if (missing !== undefined) {
    console.log(`${language}: skipped, \`${missing}\` fails`);
    continue;
  }
  for (const command of generate) await run(command);
  console.log(`${language}: generated`);
}
