// Objects that are too long to be taken. etcd stores none of more than 1.5 MiB by default. Whatever is longer than twice that
// does not come from an API server, or from one whose limits somebody has lifted.
import { objectsIn, textAt } from "../../../shared/manifests/scan.ts";
import { UnreadableError } from "./decoding-errors.ts";

/** Bytes of an object, or of a line of a watch. */
export const OBJECT_LIMIT = 3 * 1024 * 1024;

/** As far as they can be read from its first 3 MiB; "" for what can't. */
export interface OversizedObject {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
}

/** Of an object of which there is only the beginning. `path` leads to it. */
function identityOf(json: Uint8Array, path: readonly string[]): OversizedObject {
  const metadata = (field: string) => textAt(json, 0, [...path, "metadata", field]);
  return { namespace: metadata("namespace"), name: metadata("name"), resourceVersion: metadata("resourceVersion") };
}

/**
 * The oversized objects of one resource. A Service that is left out must not keep its older rules, which may let in more than
 * it does now. So it is missing in a list, and on a watch its event becomes DELETED.
 */
export class OversizedObjects {
  readonly #report: (object: OversizedObject) => void;
  #known = new Map<string, OversizedObject>();
  /** Of the list that is being read. */
  #listed: Map<string, OversizedObject> | undefined;
  #unnamed = 0;

  /** @param report is called for an object that was not left out before */
  constructor(report: (object: OversizedObject) => void) {
    this.#report = report;
  }

  /** For people. */
  get names(): string[] {
    return [...this.#known.values()].map(nameOf);
  }

  beginList(): void {
    this.#listed = new Map();
    this.#unnamed = 0;
  }

  endList(): void {
    if (this.#listed !== undefined) this.#known = this.#listed;
    this.#listed = undefined;
  }

  /** An object of a list, of which this is the beginning. */
  item(beginning: Uint8Array): void {
    const object = identityOf(beginning, []);
    const key = object.name === "" ? `#${this.#unnamed++}` : keyOf(object.namespace, object.name);
    this.#add(key, object);
  }

  /**
   * A line of a watch, of which this is the beginning. Returns the line to be taken in its place.
   *
   * @throws {UnreadableError} nobody knows which object it is about: everything has to be listed again
   */
  line(beginning: Uint8Array): Uint8Array {
    const type = textAt(beginning, 0, ["type"]);
    const object = identityOf(beginning, ["object"]);
    const kind = textAt(beginning, 0, ["object", "kind"]);
    const apiVersion = textAt(beginning, 0, ["object", "apiVersion"]);
    if (!["ADDED", "MODIFIED", "DELETED"].includes(type) || object.name === "" || kind === "" || apiVersion === "") {
      throw new UnreadableError(`a line of the watch has more than ${OBJECT_LIMIT} bytes, and names no object`);
    }
    if (type !== "DELETED") this.#add(keyOf(object.namespace, object.name), object);
    const line = { type: "DELETED", object: { kind, apiVersion, metadata: object } };
    return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
  }

  /** Lines of a watch have been taken: objects in them are not left out any more. */
  seen(lines: Uint8Array): void {
    if (this.#known.size === 0) return;
    for (const { namespace, name, start } of objectsIn(lines)) {
      const key = keyOf(namespace, name);
      const resourceVersion = textAt(lines, start, ["metadata", "resourceVersion"]);
      if (this.#known.get(key)?.resourceVersion !== resourceVersion) this.#known.delete(key);
    }
  }

  #add(key: string, object: OversizedObject): void {
    const isNew = this.#known.get(key)?.resourceVersion !== object.resourceVersion || !this.#known.has(key);
    (this.#listed ?? this.#known).set(key, object);
    if (isNew) this.#report(object);
  }
}

/** For people. */
export function nameOf({ namespace, name }: OversizedObject): string {
  if (name === "") return "one whose name comes behind its first 3 MiB";
  return namespace === "" ? name : `${namespace}/${name}`;
}

const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;
