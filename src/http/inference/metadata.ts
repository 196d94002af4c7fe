/** Describes a model's options in its metadata, from the schema that validates them. */
import type { TSchema } from "typebox";
import { isOperand } from "../../wire/operands.ts";
import { JSON_OPTIONS, OPTION_SCHEMAS } from "../losses/options.ts";
import { TENSOR_SCHEMAS } from "../losses/tensor-schemas.ts";

/** Parts of a schema that describe an option. */
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
  description: "Whether outputs are binary, unless an output has its own binary_data.",
};

/** Whether an option sets the JSON format, which the protocol fixes. */
export function isJsonOption(name: string): boolean {
  return (JSON_OPTIONS as readonly string[]).includes(name);
}

/** Describes the options of an operation and the protocol's own. */
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
    // Lists null only as a default, because null means absent for every option.
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
