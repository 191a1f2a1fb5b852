// Copies values by their shape: what the shape does not name is left out, each leaf is what a visitor makes of it.
import { keptAnnotations, type Role, type Shape } from "./fields.ts";

export type Primitive = string | number | boolean;
/** Of JSON. */
export type Value = Primitive | null | readonly Value[] | { readonly [field: string]: Value };
export type Mapping = { readonly [field: string]: Value };

/** The roles of single values: what a shape says of mappings is resolved to these. */
export type LeafRole = Exclude<Role, "labels" | "annotations"> | "annotation-value";

/** @returns the value in the copy */
export type Leaf = (value: Primitive, role: LeafRole) => Primitive;

const isShapeOfItems = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);

export function isMapping(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Undefined: the value is of another form than the shape, and left out. */
export function shaped(value: unknown, shape: Shape, leaf: Leaf): Value | undefined {
  if (value === null) return null;
  if (shape === "labels") return isMapping(value) ? labels(value, leaf) : undefined;
  if (shape === "annotations") return isMapping(value) ? annotations(value, leaf) : undefined;
  if (typeof shape === "string") return isPrimitive(value) ? leaf(value, shape) : undefined;
  if (isShapeOfItems(shape)) {
    if (!Array.isArray(value)) return undefined;
    return value.map((item: unknown) => shaped(item, shape[0], leaf)).filter((item) => item !== undefined);
  }
  if (!isMapping(value)) return undefined;
  const copy: { [field: string]: Value } = {};
  for (const [field, inner] of Object.entries(shape)) {
    if (!Object.hasOwn(value, field)) continue;
    const made = shaped(value[field], inner, leaf);
    if (made !== undefined) copy[field] = made;
  }
  return copy;
}

function isPrimitive(value: unknown): value is Primitive {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function labels(value: { readonly [key: string]: unknown }, leaf: Leaf): Mapping {
  return mapped(value, (key, text) => [String(leaf(key, "label-key")), labelValue(key, text, leaf)]);
}

/** Undefined: none of them is kept. */
function annotations(value: { readonly [key: string]: unknown }, leaf: Leaf): Mapping | undefined {
  const kept = mapped(value, (key, text) =>
    keptAnnotations.has(key) ? [key, leaf(text, "annotation-value")] : undefined,
  );
  return Object.keys(kept).length === 0 ? undefined : kept;
}

/** Labels whose values are enumerations of Kubernetes, or say which of its controllers is in charge. */
const enumerated = new Set([
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
]);

function labelValue(key: string, text: string, leaf: Leaf): Primitive {
  return leaf(text, enumerated.has(key) ? "as-is" : "label-value");
}

/** Own fields alone, also where one is called `__proto__`. */
function mapped(
  value: { readonly [key: string]: unknown },
  make: (key: string, text: string) => [string, Primitive] | undefined,
): Mapping {
  const entries: [string, Primitive][] = [];
  for (const [key, text] of Object.entries(value)) {
    const entry = typeof text === "string" ? make(key, text) : undefined;
    if (entry !== undefined) entries.push(entry);
  }
  return Object.fromEntries(entries);
}
