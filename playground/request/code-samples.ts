/** Programs that send a request, to copy: curl, Python and TypeScript. */

import { toJson } from "../tensors/tensor-text.ts";
import type { Body } from "./request.ts";

export type Language = "curl" | "Python" | "TypeScript";

/** Linux limits one argument of a command to 128 KiB. */
const MAX_ARGUMENT_CHARS = 100_000;

/** Returns a program that posts `body` to `url` and prints the response. It reads the token from the environment. */
export function codeSample(language: Language, url: string, body: Body, hasToken: boolean): string {
  const json = toJson(body);
  if (language === "curl") return curl(url, json, hasToken);
  return language === "Python" ? python(url, body, hasToken) : typescript(url, json, hasToken);
}

function curl(url: string, json: string, hasToken: boolean): string {
  const token = hasToken ? ` -H "authorization: Bearer $TOKEN"` : "";
  const command = `curl ${quoteShell(url)} -H 'content-type: application/json'${token}`;
  return json.length <= MAX_ARGUMENT_CHARS
    ? `${command} -d ${quoteShell(`\n${json}`)}`
    : `${command} --data-binary @- <<'BODY'\n${json}\nBODY`;
}

function quoteShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function typescript(url: string, json: string, hasToken: boolean): string {
  const token = hasToken ? ', authorization: "Bearer " + process.env.TOKEN' : "";
  // JSON.stringify would round an integer above 2^53 and drop the sign of -0, so such a body is a string.
  const isExact = JSON.stringify(JSON.parse(json)) === json;
  return `const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "content-type": "application/json"${token} },
  body: ${isExact ? `JSON.stringify(${json})` : JSON.stringify(json)},
});
console.log(await answer.json());`;
}

function python(url: string, body: Body, hasToken: boolean): string {
  const token = hasToken ? ', "authorization": "Bearer " + os.environ["TOKEN"]' : "";
  return `import json${hasToken ? ", os" : ""}, urllib.request

request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=json.dumps(${pythonLiteral(body)}).encode(),
    headers={"content-type": "application/json"${token}},
)
print(json.load(urllib.request.urlopen(request)))`;
}

function pythonLiteral(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value !== "object") return toJson(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}: ${pythonLiteral(member)}`,
  );
  return `{${members.join(", ")}}`;
}
