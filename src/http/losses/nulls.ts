/** Members that may be null: their schemas, and their removal. */
import type { Static, TSchema } from "typebox";
import { Type } from "typebox";

/**
 * Makes a member optional and nullable, because clients in several languages cannot omit a member and PyTorch's own default is
 * `weight=None`. Its static type has no null, because {@link withoutNulls} runs first.
 */
export const optional = <Schema extends TSchema>(schema: Schema) => {
  const { default: byDefault, deprecated, description, ...form } = schema as Annotated;
  return Type.Optional(
    Type.Unsafe<Static<Schema>>({
      anyOf: [form, { type: "null" }],
      ...(byDefault === undefined ? {} : { default: byDefault }),
      ...(deprecated === undefined ? {} : { deprecated }),
      ...(description === undefined ? {} : { description }),
    }),
  );
};

interface Annotated {
  readonly default?: unknown;
  readonly deprecated?: boolean;
  readonly description?: string;
}

/** Returns a valid object without its null members, but keeps nested nulls. Copies if there is a null, because bodies share their skeletons. */
export function withoutNulls<Value extends object>(object: Value): Value {
  const members = object as Record<string, unknown>;
  for (const name in members) {
    if (members[name] !== null) continue;
    return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== null)) as Value;
  }
  return object;
}
