/** What a model's metadata tell of its options, read from the schema that checks them. */
import type { TSchema } from "typebox";
import { isOperand } from "../../wire/operands.ts";
import { JSON_OPTIONS, OPTION_SCHEMAS } from "../losses/options.ts";
import { TENSOR_SCHEMAS } from "../losses/tensor-schemas.ts";

/** The parts of a schema that say what an option is. */
interface OptionSchema {
  readonly $id?: string;
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly OptionSchema[];
  readonly default?: string | number | boolean | null;
  readonly description?: string;
}

export interface OptionMetadata {
  readonly type: string;
  readonly default?: string | number | boolean | null;
  readonly description: string;
}

const SHARED = new Map(
  ([...TENSOR_SCHEMAS, ...OPTION_SCHEMAS] as readonly OptionSchema[]).map((schema) => [
    `${schema.$id}#`,
    schema,
  ]),
);

const BINARY_OPTION: OptionMetadata = {
  type: "boolean",
  default: false,
  description: "Whether outputs come as bytes behind the JSON, where they do not say so themselves.",
};

/** Whether an option says how JSON is written, which the protocol says by itself. */
export function isJsonOption(name: string): boolean {
  return (JSON_OPTIONS as readonly string[]).includes(name);
}

/** The options of an operation, and the protocol's own. */
export function describeOptions(request: TSchema): Record<string, OptionMetadata> {
  const { properties = {} } = request as { properties?: Readonly<Record<string, OptionSchema>> };
  const options = Object.entries(properties).filter(([name]) => !isJsonOption(name) && !isOperand(name));
  return {
    ...Object.fromEntries(options.map(([name, schema]) => [name, describeOption(schema)])),
    binary_data_output: BINARY_OPTION,
  };
}

function describeOption(schema: OptionSchema): OptionMetadata {
  return {
    // null stands for every option that is not given; it is told where it is the default.
    type: [...new Set(typesOf(schema))]
      .filter((type) => type !== "null" || schema.default === null)
      .join(" or "),
    ...(schema.default === undefined ? {} : { default: schema.default }),
    description: schema.description ?? SHARED.get(schema.anyOf?.[0]?.$ref ?? "")?.description ?? "",
  };
}

function typesOf(schema: OptionSchema): string[] {
  const { anyOf, $ref, type } = schema;
  if ($ref !== undefined) return typesOf(SHARED.get($ref)!);
  if (anyOf !== undefined) return anyOf.flatMap(typesOf);
  return [type ?? (schema.enum === undefined ? "null" : "string")];
}
