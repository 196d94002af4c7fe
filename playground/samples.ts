/** A request as code to copy. */
import type { Body } from "./server.ts";

export type Language = "curl" | "Python" | "TypeScript";

/** Characters of a body that still fit into one argument of a command (Linux: 128 KiB). */
const ARGUMENT = 100_000;

/** The program that sends `body` to `address` and prints the answer. */
export function sampleOf(language: Language, address: string, body: Body, hasToken: boolean): string {
  const json = JSON.stringify(body);
  if (language === "curl") return curl(address, json, hasToken);
  if (language === "Python") return python(address, body, hasToken);
  const token = hasToken ? ', authorization: "Bearer " + process.env.TOKEN' : "";
  return `const answer = await fetch(${JSON.stringify(address)}, {
  method: "POST",
  headers: { "content-type": "application/json"${token} },
  body: JSON.stringify(${json}),
});
console.log(await answer.json());`;
}

/** A word for a shell, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function curl(address: string, json: string, hasToken: boolean): string {
  const token = hasToken ? ` -H "authorization: Bearer $TOKEN"` : "";
  const command = `curl ${quote(address)} -H 'content-type: application/json'${token}`;
  return json.length <= ARGUMENT
    ? `${command} -d ${quote(`\n${json}`)}`
    : `${command} --data-binary @- <<'BODY'\n${json}\nBODY`;
}

function python(address: string, body: Body, hasToken: boolean): string {
  const token = hasToken ? ', "authorization": "Bearer " + os.environ["TOKEN"]' : "";
  return `import json${hasToken ? ", os" : ""}, urllib.request

request = urllib.request.Request(
    ${JSON.stringify(address)},
    data=json.dumps(${literal(body)}).encode(),
    headers={"content-type": "application/json"${token}},
)
print(json.load(urllib.request.urlopen(request)))`;
}

/** A value as Python writes it. */
function literal(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}: ${literal(member)}`,
  );
  return `{${members.join(", ")}}`;
}
