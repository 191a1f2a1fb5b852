// As much of JSON Schema as the published schemas use, for tests that hold reports against them. A field that a schema does not
// know is a complaint here, so that no field goes out undescribed.

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

/** What of a value is not as the schema says; empty: nothing. */
export function complaints(schema: Schema, value: unknown, path = "$"): string[] {
  if ("const" in schema) return value === schema.const ? [] : [`${path}: not ${JSON.stringify(schema.const)}`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${path}: ${JSON.stringify(value)}`];
  switch (schema.type) {
    case "array":
      if (!Array.isArray(value)) return [`${path}: no array`];
      return value.flatMap((item, index) => complaints(schema.items ?? {}, item, `${path}[${index}]`));
    case "object":
      return typeof value === "object" && value !== null ? ofObject(schema, value, path) : [`${path}: no object`];
    case "integer":
      return Number.isInteger(value) ? [] : [`${path}: no integer`];
    default:
      return schema.type === undefined || typeof value === schema.type ? [] : [`${path}: no ${schema.type}`];
  }
}

function ofObject({ properties = {}, required = [] }: Schema, value: object, path: string): string[] {
  const missing = required.filter((name) => !(name in value)).map((name) => `${path}.${name}: missing`);
  const inside = Object.entries(value).flatMap(([name, each]) => {
    const schema = properties[name];
    return schema === undefined ? [`${path}.${name}: not described`] : complaints(schema, each, `${path}.${name}`);
  });
  return [...missing, ...inside];
}
