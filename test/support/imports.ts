/** What a built file asks Node for, from its syntax: texts that look like imports, in comments or in code that is generated, are not counted. */
import { readFileSync } from "node:fs";
import { parseAst } from "rolldown/parseAst";

/** The names under which bundles call `require`. */
const REQUIRES = ["require", "__require"];

interface Node {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly source?: Node | null;
  readonly callee?: Node;
  readonly arguments?: readonly Node[];
}

/** Every specifier that a file imports, re-exports or requires by a constant name. */
export function specifiersOf(file: string): string[] {
  const found: string[] = [];
  const visit = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(visit);
    if (Array.isArray(part) || part === null || typeof part !== "object") return;
    const node = part as Node;
    const isRequire = node.type === "CallExpression" && REQUIRES.includes(node.callee?.name ?? "");
    const named = isRequire ? node.arguments?.[0] : node.source;
    if (typeof named?.value === "string") found.push(named.value);
    Object.values(node).forEach(visit);
  };
  visit(parseAst(readFileSync(file, "utf8")));
  return found;
}

/** The package of a specifier; undefined for files and for Node's own modules. */
export function packageOf(specifier: string, builtin: readonly string[]): string | undefined {
  if (/^(?:[./]|node:)/.test(specifier) || builtin.includes(specifier)) return undefined;
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0];
}
