// As much of JSON Schema as the published schemas use.

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

/** `refused`: tests want no field to go out undescribed. `ignored`: a newer version may have added fields. */
export type UnknownFields = "refused" | "ignored";

/** What of a value is not as the schema says, each with its path; empty: nothing. */
export function complaints(
  schema: Schema,
  value: unknown,
  unknownFields: UnknownFields = "refused",
  path = "$",
): string[] {
  if ("const" in schema) return value === schema.const ? [] : [`${path}: not ${JSON.stringify(schema.const)}`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${path}: ${JSON.stringify(value)}`];
  switch (schema.type) {
    case "array":
      if (!Array.isArray(value)) return [`${path}: no array`];
      return value.flatMap((item, index) => complaints(schema.items ?? {}, item, unknownFields, `${path}[${index}]`));
    case "object":
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path}: no object`];
      return ofObject(schema, value, unknownFields, path);
    case "integer":
      return Number.isInteger(value) ? [] : [`${path}: no integer`];
    default:
      return schema.type === undefined || typeof value === schema.type ? [] : [`${path}: no ${schema.type}`];
  }
}

function ofObject(
  { properties = {}, required = [] }: Schema,
  value: object,
  unknownFields: UnknownFields,
  path: string,
): string[] {
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${path}.${name}: missing`);
  const inside = Object.entries(value).flatMap(([name, each]) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (schema !== undefined) return complaints(schema, each, unknownFields, `${path}.${name}`);
    return unknownFields === "refused" ? [`${path}.${name}: not described`] : [];
  });
  return [...missing, ...inside];
}
