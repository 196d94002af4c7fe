/** Members that may be left out. */
import type { Static, TSchema } from "typebox";
import { Type } from "typebox";

/**
 * A member that may be left out, for which null stands, too: several languages' clients cannot leave a member out, and PyTorch's own default
 * is `weight=None`. Its static type has no null, because {@link withoutNulls} has run before it is read.
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

/** An object that its schema has accepted, without the members that are null; members of members stay. A copy if there is one: bodies share their skeletons. */
export function withoutNulls<Value extends object>(object: Value): Value {
  const members = object as Record<string, unknown>;
  for (const name in members) {
    if (members[name] !== null) continue;
    return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== null)) as Value;
  }
  return object;
}
