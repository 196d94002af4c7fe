/** A request as code to copy. */
import type { Body } from "./server.ts";

export const LANGUAGES = ["curl", "Python", "TypeScript"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The program that sends `body` to `address` and prints the answer. */
export function sampleOf(language: Language, address: string, body: Body, hasToken: boolean): string {
  const json = JSON.stringify(body);
  if (language === "curl") {
    const token = hasToken ? ` -H "authorization: Bearer $TOKEN"` : "";
    return `curl ${address} -H 'content-type: application/json'${token} -d '\n${json}'`;
  }
  if (language === "Python") return python(address, json, hasToken);
  const token = hasToken ? ', authorization: "Bearer " + process.env.TOKEN' : "";
  return `const answer = await fetch("${address}", {
  method: "POST",
  headers: { "content-type": "application/json"${token} },
  body: JSON.stringify(${json}),
});
console.log(await answer.json());`;
}

function python(address: string, json: string, hasToken: boolean): string {
  const token = hasToken ? ', "authorization": "Bearer " + os.environ["TOKEN"]' : "";
  const literal = json.replaceAll(/\b(true|false|null)\b/g, (word) =>
    word === "null" ? "None" : word === "true" ? "True" : "False",
  );
  return `import json${hasToken ? ", os" : ""}, urllib.request

request = urllib.request.Request(
    "${address}",
    data=json.dumps(${literal}).encode(),
    headers={"content-type": "application/json"${token}},
)
print(json.load(urllib.request.urlopen(request)))`;
}
