// What all parts ask of an object.
import { hasBeenSeen } from "../admission/admit.ts";
import { type Fields, fieldsOf, type ManifestObject, type Value } from "../manifests/objects.ts";

/** No API server has seen it: files hold what people write. */
export function isNew({ fields }: { readonly fields: Fields }): boolean {
  return !hasBeenSeen(fieldsOf(fields.metadata));
}

/** Objects without a namespace are made in `default`, as kubectl does without `-n`. */
export function namespaceOf(object: { readonly namespace: string }): string {
  return object.namespace === "" ? "default" : object.namespace;
}

export function keyOf(object: { readonly namespace: string; readonly name: string }): string {
  return `${namespaceOf(object)}/${object.name}`;
}

/** Names and values of labels; what is no text is left out. */
export function labelsOf(metadata: Value): Readonly<Record<string, string>> {
  return textsOf(fieldsOf(metadata).labels);
}

export function textsOf(value: Value): Readonly<Record<string, string>> {
  const texts = Object.entries(fieldsOf(value)).filter((entry): entry is [string, string] => {
    return typeof entry[1] === "string";
  });
  return Object.fromEntries(texts);
}

export function isWholeNumber(value: Value): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

/** In the order of their namespaces and names; if an object is given twice, the last one counts. */
export function sorted<T extends ManifestObject>(objects: readonly T[]): T[] {
  const byKey = new Map(objects.map((object) => [keyOf(object), object]));
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, object]) => object);
}
