/** `npm run openapi`: writes the contract as files, from the schemas of the routes. */
import { writeFileSync } from "node:fs";
import { renderContract } from "./render.ts";

const { json, yaml, json30 } = await renderContract();
writeFileSync(new URL("./openapi.json", import.meta.url), json);
writeFileSync(new URL("./openapi.yaml", import.meta.url), yaml);
writeFileSync(new URL("./openapi-3.0.json", import.meta.url), json30);
