// The objects that the engine has been given, as bytes. They are recorded only for a while after a loss, to find the object
// that the engine traps on. The same code takes such objects out of what the engine is given later.
import type { Kind } from "../../shared/contract.ts";
import { endOfValue, objectsIn, textAt } from "../../shared/manifests/scan.ts";
import { skipBlanks } from "../../shared/manifests/text.ts";
import { endpointSlices, nodeNamed, serviceCIDRs, services } from "../kube/watching/resources.ts";

/** One object, as a list of one for `apply`. */
export interface RecordedObject {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly list: Uint8Array;
}

interface ObjectBytes {
  readonly namespace: string;
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const forms = {
  service: services.list,
  "endpoint-slice": endpointSlices.list,
  node: nodeNamed("").list,
  "service-cidr": serviceCIDRs.list,
};
const encoder = new TextEncoder();
const comma = 0x2c;
const lineFeed = 0x0a;

const keyOf = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`;

function* objectsOf(data: Uint8Array): Generator<ObjectBytes> {
  for (const { namespace, name, start } of objectsIn(data)) {
    yield { namespace, name, start, end: endOfValue(data, start) };
  }
}

/** Lines of a watch, not a list. */
function isWatch(data: Uint8Array): boolean {
  return textAt(data, 0, ["type"]) !== "";
}

function* linesOf(data: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(lineFeed, at) + 1 || data.length;
    yield data.subarray(at, end);
    at = end;
  }
}

export class ObjectRecord {
  readonly #objects = new Map<Kind, Map<string, RecordedObject>>();
  /** While a list is being read: what has come since it began. */
  readonly #listed = new Map<Kind, Set<string>>();

  /** In the order in which they came. */
  get objects(): RecordedObject[] {
    return [...this.#objects.values()].flatMap((objects) => [...objects.values()]);
  }

  beginList(kind: Kind): void {
    this.#listed.set(kind, new Set());
  }

  endList(kind: Kind): void {
    const listed = this.#listed.get(kind);
    const objects = this.#objects.get(kind);
    for (const key of objects?.keys() ?? []) if (listed?.has(key) === false) objects?.delete(key);
    this.#listed.delete(kind);
  }

  /** What a store is given. */
  take(kind: Kind, data: Uint8Array): void {
    if (!isWatch(data)) {
      for (const object of objectsOf(data)) this.#put(kind, object, data);
      return;
    }
    for (const line of linesOf(data)) {
      const isGone = textAt(line, 0, ["type"]) === "DELETED";
      for (const object of objectsOf(line)) {
        if (isGone) this.#objects.get(kind)?.delete(keyOf(object));
        else this.#put(kind, object, line);
      }
    }
  }

  #put(kind: Kind, { namespace, name, start, end }: ObjectBytes, data: Uint8Array): void {
    const form = forms[kind];
    const list = Buffer.concat([
      encoder.encode(`{"kind":"${form.kind}","apiVersion":"${form.apiVersion}","items":[`),
      data.subarray(start, end),
      encoder.encode("]}\n"),
    ]);
    const objects = this.#objects.get(kind) ?? new Map<string, RecordedObject>();
    this.#objects.set(kind, objects);
    const key = keyOf({ namespace, name });
    objects.set(key, { kind, namespace, name, list });
    this.#listed.get(kind)?.add(key);
  }
}

/**
 * The same bytes without the objects for which `leave` is true. In a list they are missing. On a watch their event becomes
 * DELETED, so that no older state of them stays.
 */
export function without(
  kind: Kind,
  data: Uint8Array,
  leave: (namespace: string, name: string, isGone: boolean) => boolean,
): Uint8Array {
  return isWatch(data) ? linesWithout(kind, data, leave) : listWithout(data, leave);
}

function linesWithout(kind: Kind, data: Uint8Array, leave: Parameters<typeof without>[2]): Uint8Array {
  const lines: Uint8Array[] = [];
  for (const line of linesOf(data)) {
    const [object] = objectsOf(line);
    const resourceVersion = textAt(line, 0, ["object", "metadata", "resourceVersion"]);
    const isGone = textAt(line, 0, ["type"]) === "DELETED";
    if (object === undefined || !leave(object.namespace, object.name, isGone)) {
      lines.push(line);
      continue;
    }
    const { namespace, name } = object;
    const { apiVersion } = forms[kind];
    const gone = {
      kind: forms[kind].kind.replace(/List$/, ""),
      apiVersion,
      metadata: { namespace, name, resourceVersion },
    };
    lines.push(encoder.encode(`${JSON.stringify({ type: "DELETED", object: gone })}\n`));
  }
  return Buffer.concat(lines);
}

function listWithout(data: Uint8Array, leave: Parameters<typeof without>[2]): Uint8Array {
  const kept: Uint8Array[] = [];
  let from = 0;
  for (const { namespace, name, start, end } of objectsOf(data)) {
    if (!leave(namespace, name, false)) continue;
    const after = skipBlanks(data, end);
    if (data[after] === comma) {
      kept.push(data.subarray(from, start));
      from = after + 1;
    } else {
      // The last one: the comma before it goes, if there is one that has not gone.
      let to = start;
      while (to > from && data[to - 1] !== undefined && (data[to - 1] as number) <= 0x20) to--;
      if (to > from && data[to - 1] === comma) to--;
      else if (to === from && endsWithComma(kept)) kept.push(dropComma(kept.pop() as Uint8Array));
      kept.push(data.subarray(from, to));
      from = end;
    }
  }
  return from === 0 ? data : Buffer.concat([...kept, data.subarray(from)]);
}

function endsWithComma(kept: readonly Uint8Array[]): boolean {
  return kept.at(-1)?.at(-1) === comma;
}

function dropComma(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.length - 1);
}
