// Reads an object as the API server does: null counts as absent, what is zero and not optional is left away, unknown fields
// go, and another type than the field's is an error.
import type { Value } from "../manifests/objects.ts";
import { fieldsOf } from "../manifests/objects.ts";
import type { Schema } from "./schema.ts";

export interface WrongType {
  /** As `spec.ports[0].port`. */
  readonly field: string;
  /** As `a whole number`. */
  readonly expected: string;
  readonly found: Value;
}

/** The value with the schema's fields alone, nothing of it shared with `value`. Undefined: it is left away. */
export function decode(value: Value, schema: Schema, field: string, wrong: WrongType[]): Value {
  const isAbsent = value === undefined || value === null;
  switch (schema.type) {
    case "object":
      return isAbsent && !schema.isPart ? undefined : decodeObject(value ?? {}, schema.fields, field, wrong);
    case "list":
      if (isAbsent) return schema.isPart ? null : undefined;
      return decodeList(value, schema, field, wrong);
    case "any":
      return isAbsent ? undefined : value;
    case "map":
      return isAbsent ? undefined : decodeMap(value, field, wrong);
    case "port":
      if (isAbsent || isPort(value)) return value ?? undefined;
      break;
    default:
      if (isAbsent) return undefined;
      if (isOf(schema.type, value)) return schema.keepsZero || !isZero(value) ? value : undefined;
  }
  wrong.push({ field, expected: expected[schema.type], found: value });
  return undefined;
}

const expected = {
  text: "a string",
  number: "a whole number",
  boolean: "true or false",
  port: "a whole number or a string",
} as const;

/** Numbers are int32 or int64 in Go; which of the two matters to nothing that is written by hand. */
function isOf(type: "text" | "number" | "boolean", value: Value): boolean {
  return type === "number" ? isInteger(value) : typeof value === (type === "text" ? "string" : type);
}

function isInteger(value: Value): value is number {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 0x7fff_ffff;
}

function isPort(value: Value): boolean {
  return typeof value === "string" || isInteger(value);
}

function isZero(value: Value): boolean {
  return value === "" || value === 0 || value === false;
}

function decodeObject(value: Value, schemas: Readonly<Record<string, Schema>>, field: string, wrong: WrongType[]) {
  if (typeof value !== "object" || Array.isArray(value)) {
    wrong.push({ field, expected: "an object", found: value });
    return undefined;
  }
  const given = fieldsOf(value);
  const result: Record<string, Value> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const member = Object.hasOwn(given, name) ? given[name] : undefined;
    const decoded = decode(member, schema, field === "" ? name : `${field}.${name}`, wrong);
    if (decoded !== undefined) result[name] = decoded;
  }
  return result;
}

function decodeList(value: Value, { of, isPart }: Schema & { type: "list" }, field: string, wrong: WrongType[]) {
  if (!Array.isArray(value)) {
    wrong.push({ field, expected: "an array", found: value });
    return undefined;
  }
  const empty = of.type === "object" ? {} : "";
  const items = value.map((item, index) => decode(item ?? empty, of, `${field}[${index}]`, wrong) ?? empty);
  // What is stored has no empty lists: etcd's form cannot tell them from absent ones.
  return items.length > 0 ? items : isPart ? null : undefined;
}

function decodeMap(value: Value, field: string, wrong: WrongType[]) {
  if (typeof value !== "object" || Array.isArray(value)) {
    wrong.push({ field, expected: "an object", found: value });
    return undefined;
  }
  const entries = Object.entries(fieldsOf(value)).map(([name, text]): [string, string] => {
    if (typeof text === "string") return [name, text];
    if (text !== null) wrong.push({ field: `${field}.${quoted(name)}`, expected: "a string", found: text });
    return [name, ""];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** As `parsePath` takes it. */
function quoted(name: string): string {
  return /[.[\]"/]/.test(name) ? `["${name}"]` : name;
}
