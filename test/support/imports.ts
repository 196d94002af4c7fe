/** What a built file asks Node for, from its syntax: texts that look like imports, in comments or in code that is generated, are not counted. */
import { readFileSync } from "node:fs";
import { parseAst } from "rolldown/parseAst";

interface Node {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly source?: Node | null;
  readonly callee?: Node;
  readonly arguments?: readonly Node[];
  readonly id?: Node;
  readonly init?: Node | null;
  readonly meta?: Node;
  readonly object?: Node;
  readonly quasis?: readonly { readonly value: { readonly cooked: string } }[];
}

/** Every specifier that a file imports, re-exports or requires by a constant name. */
export function specifiersOf(file: string): string[] {
  const found: string[] = [];
  const tree = parseAst(readFileSync(file, "utf8"));
  const requires = new Set(["require"]);
  walk(tree, ({ id, init }) => {
    if (init?.type === "CallExpression" && isOwnUrl(init.arguments?.[0])) requires.add(id!.name!);
  });
  walk(tree, (node) => {
    const isRequire = node.type === "CallExpression" && requires.has(node.callee?.name ?? "");
    const named = textOf(isRequire ? node.arguments?.[0] : node.source);
    if (named !== undefined) found.push(named);
  });
  return found;
}

function walk(part: unknown, visit: (node: Node) => void): void {
  if (part === null || typeof part !== "object") return;
  if (!Array.isArray(part)) visit(part as Node);
  for (const child of Object.values(part)) walk(child, visit);
}

/** Whether an argument is `import.meta.url`, of which bundles make their `require` under a name of their own. */
function isOwnUrl(node: Node | undefined): boolean {
  return node?.object?.meta?.name === "import";
}

function textOf(node: Node | null | undefined): string | undefined {
  if (typeof node?.value === "string") return node.value;
  return node?.quasis?.length === 1 ? node.quasis[0]!.value.cooked : undefined;
}

/** The package of a specifier; undefined for files and for Node's own modules. */
export function packageOf(specifier: string, builtin: readonly string[]): string | undefined {
  if (/^(?:[./]|node:)/.test(specifier) || builtin.includes(specifier)) return undefined;
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0];
}
