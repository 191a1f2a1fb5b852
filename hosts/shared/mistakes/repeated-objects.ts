// The same object twice: the last one counts, and the other one's rules are missing.
import { type Diagnostic, placeText } from "../diagnostics.ts";
import type { ManifestObject } from "../manifests/objects.ts";

export class RepeatedObjects {
  readonly #first = new Map<string, ManifestObject>();

  *look(object: ManifestObject): Generator<Diagnostic> {
    if (object.isEvent) return;
    const { apiVersion, kind, namespace, name } = object;
    const key = [apiVersion.replace(/\/.*$/, ""), kind, namespace, name].join("\n");
    const first = this.#first.get(key);
    this.#first.set(key, object);
    if (first === undefined) return;
    const before = placeText(first.about("note", "", "", "", ""));
    const isSame = JSON.stringify(first.fields) === JSON.stringify(object.fields);
    yield isSame
      ? object.about("note", "object-twice", "", `it is given twice, and is the same at ${before}`, "")
      : object.about(
          "warning",
          "object-twice",
          "",
          `it is given twice: this one counts, and not the one at ${before}`,
          "remove one, or rename it",
        );
  }
}
