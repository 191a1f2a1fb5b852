// metadata of anything (staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go), as far as people write it.
import type { Causes } from "./causes.ts";
import { againstLabel, againstLabelValue, againstQualifiedName } from "./names.ts";
import type { Metadata } from "./objects.ts";

/** Of keys and values, all annotations together. */
const MOST_ANNOTATION_BYTES = 256 * 1024;

/** @param againstName the rule for the kind's names */
export function validateMetadata(
  { name = "", namespace = "", labels = {}, annotations = {} }: Metadata,
  againstName: (name: string) => Iterable<string>,
  causes: Causes,
): void {
  causes.allInvalid("metadata.name", name, againstName(name));
  causes.allInvalid("metadata.namespace", namespace, againstLabel(namespace));
  validateLabels("metadata.labels", labels, causes);
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    causes.allInvalid("metadata.annotations", key, againstQualifiedName(key.toLowerCase()));
    bytes += utf8Length(key) + utf8Length(value);
  }
  if (bytes > MOST_ANNOTATION_BYTES) causes.tooLong("metadata.annotations", MOST_ANNOTATION_BYTES);
}

/** Go goes through a map in any order; here it is the file's. */
export function validateLabels(field: string, labels: Readonly<Record<string, string>>, causes: Causes): void {
  for (const [key, value] of Object.entries(labels)) {
    causes.allInvalid(field, key, againstQualifiedName(key));
    causes.allInvalid(field, value, againstLabelValue(value));
  }
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
