// A snapshot as a file: a `List` that kubectl reads too, one object a line. What it says of itself stands in a field of the list
// that others pass over.
import { kindOf } from "./kinds.ts";
import { isMapping, type Mapping, shaped } from "./shaped.ts";

/** Of the form of the file. A change that older readers can't read gets a new number. */
export const formatVersion = 1;

/** How a snapshot begins: kubectl reads past `snapshot`. */
const beginning = /^\{"apiVersion":"v1","kind":"List","metadata":\{[^{}]*\},"snapshot":\{"formatVersion":(\d{1,9}),/;

/** The form of a snapshot, from the beginning of its file. Undefined: it is none, or was written anew by another program. */
export function formatVersionOf(bytes: Uint8Array): number | undefined {
  const [, version] = beginning.exec(new TextDecoder().decode(bytes.subarray(0, 200))) ?? [];
  return version === undefined ? undefined : Number(version);
}

export interface SnapshotHeader {
  /** `sluice 0.1.0` */
  readonly writtenBy: string;
  /** When the first list was asked for: RFC 3339, in UTC. */
  readonly takenAt: string;
  /** Of the API server, such as `1.37`; "" if it does not tell. */
  readonly kubeVersion: string;
  readonly redacted: boolean;
}

/** An object with the fields that count. `apiVersion`, `kind` and `metadata.name` are there. */
export type SnapshotObject = Mapping;

export interface Snapshot {
  readonly header: SnapshotHeader;
  readonly objects: readonly SnapshotObject[];
}

/** What one node's kernel holds, as its tools list it: the other object of a snapshot. */
export interface NodeRules {
  readonly node: string;
  /** Tool (`nft`, `iptables-save`, `ip6tables-save`) → what it printed. */
  readonly listings: Readonly<Record<string, string>>;
}

/**
 * The fields of an object that a snapshot holds.
 *
 * @param object with apiVersion and kind
 * @returns undefined: it is of no kind that a snapshot holds, or has no name
 */
export function snapshotObject(object: Readonly<Record<string, unknown>>): SnapshotObject | undefined {
  const kind = kindOf(object);
  if (kind === undefined) return undefined;
  const copy = shaped(object, kind.shape, (value) => value) as Mapping;
  const { metadata } = copy;
  if (!isMapping(metadata) || typeof metadata.name !== "string" || metadata.name === "") return undefined;
  return { apiVersion: kind.apiVersion, kind: kind.kind, ...copy };
}

export function nodeRulesObject({ node, listings }: NodeRules): SnapshotObject {
  return { apiVersion: "sluice/v1", kind: "NodeRules", metadata: { name: node }, listings };
}

/** The file's bytes, in pieces. */
export function* snapshotPieces({ header, objects }: Snapshot): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const about = JSON.stringify({ formatVersion, ...header });
  let text = `{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"snapshot":${about},"items":[\n`;
  for (const [index, object] of objects.entries()) {
    text += `${index === 0 ? "" : ",\n"}${JSON.stringify(object)}`;
    if (text.length < 1_000_000) continue;
    yield encoder.encode(text);
    text = "";
  }
  yield encoder.encode(`${text}\n]}\n`);
}
