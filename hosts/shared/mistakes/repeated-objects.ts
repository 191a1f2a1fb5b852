// The same object twice: the last one counts, and the other one's rules are missing.
import { type Diagnostic, objectName, placeText } from "../diagnostics.ts";
import type { ManifestObject } from "../manifests/objects.ts";

/** So many that are the same are said one by one: a repository that keeps what it rendered has all of them twice. */
const SAME = 3;

export class RepeatedObjects {
  readonly #first = new Map<string, ManifestObject>();
  /** Objects that were given before, with that place. Empty: the same place, so their file was given twice. */
  readonly #same: { object: ManifestObject; before: string }[] = [];

  *look(object: ManifestObject): Generator<Diagnostic> {
    if (object.isEvent) return;
    const { apiVersion, kind, namespace, name } = object;
    const key = [apiVersion.replace(/\/.*$/, ""), kind, namespace, name].join("\n");
    const first = this.#first.get(key);
    this.#first.set(key, object);
    if (first === undefined) return;
    const before = placeText(first.about("note", "", "", "", ""));
    if (before === placeText(object.about("note", "", "", "", ""))) {
      this.#same.push({ object, before: "" });
      return;
    }
    if (JSON.stringify(first.fields) === JSON.stringify(object.fields)) {
      this.#same.push({ object, before });
      return;
    }
    const message = `it is given twice: this one counts, and not the one at ${before}`;
    yield object.about("warning", "object-twice", "", message, "remove one, or rename it");
  }

  /** Of those that are the same. */
  *diagnostics(): Generator<Diagnostic> {
    const [first] = this.#same;
    if (first === undefined) return;
    if (this.#same.length > SAME) {
      const message = `${sameText(first.before)}; so are ${this.#same.length - 1} more objects, such as ${objectName(this.#same[1]?.object ?? first.object)}`;
      yield first.object.about("note", "object-twice", "", message, "");
      return;
    }
    for (const { object, before } of this.#same) {
      yield object.about("note", "object-twice", "", sameText(before), "");
    }
  }
}

function sameText(before: string): string {
  return before === "" ? "it is given twice, as its whole file is" : `it is given twice, and is the same at ${before}`;
}
