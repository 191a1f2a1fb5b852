// Makes a snapshot that can be given away: other names, other addresses, the same rules up to these. No name, label, uid and
// address of the cluster is left; numbers of ports, times and whatever Kubernetes itself named stay.
import { AddressMap } from "./address-map.ts";
import type { Snapshot, SnapshotObject } from "./document.ts";
import { kindOf } from "./kinds.ts";
import { NameMap } from "./name-map.ts";
import { type Leaf, type LeafRole, type Mapping, type Primitive, shaped } from "./shaped.ts";

export interface Redacted {
  readonly snapshot: Snapshot;
  /** The new name of an old one; undefined: the snapshot has no such name. */
  name(text: string): string | undefined;
  /** The new address or range of an old one; undefined: the snapshot has none such. */
  address(text: string): string | undefined;
}

/** Objects of kinds that a snapshot does not know of are left out: nobody can say what in them is private. */
export function redact({ header, objects }: Snapshot): Redacted {
  const found = collect(objects);
  const addresses = new AddressMap(found.addresses);
  // Where an address should be, a name can stand: of a host, or of anything by mistake.
  const others = [...found.addresses].filter((text) => addresses.get(text) === undefined);
  const names = new NameMap([...found.names, ...others]);
  const uids = uidsFor(found.uids);
  const leaf: Leaf = (value, role) => {
    if (typeof value !== "string" || !isPrivate(value, role)) return value;
    if (role === "uid") return uids.get(value) ?? "";
    return (isAddress(role) ? addresses.get(value) : undefined) ?? names.get(value) ?? "";
  };
  return {
    snapshot: { header: { ...header, redacted: true }, objects: walk(objects, leaf) },
    name: (text) => names.get(text),
    address: (text) => addresses.get(text),
  };
}

function walk(objects: readonly SnapshotObject[], leaf: Leaf): SnapshotObject[] {
  return objects.flatMap((object) => {
    const kind = kindOf(object);
    if (kind === undefined) return [];
    return [{ apiVersion: kind.apiVersion, kind: kind.kind, ...(shaped(object, kind.shape, leaf) as Mapping) }];
  });
}

function collect(objects: readonly SnapshotObject[]) {
  const names = new Set<string>();
  const addresses = new Set<string>();
  const uids = new Set<string>();
  walk(objects, (value: Primitive, role: LeafRole) => {
    if (typeof value !== "string" || !isPrivate(value, role)) return value;
    if (role === "uid") uids.add(value);
    else if (isAddress(role)) addresses.add(value);
    else names.add(value);
    return value;
  });
  return { names, addresses, uids };
}

const isAddress = (role: LeafRole) => role === "address" || role === "cidr";

function uidsFor(texts: ReadonlySet<string>): Map<string, string> {
  const sorted = [...texts].sort();
  return new Map(
    sorted.map((text, index) => [text, `00000000-0000-4000-8000-${(index + 1).toString(16).padStart(12, "0")}`]),
  );
}

/** Of a label's key: Kubernetes' own. */
const kubernetesKey = /^([a-z0-9-]+\.)*(kubernetes|k8s)\.io\//;
/** Its own keys that have no such prefix. */
const plainKeys = new Set(["k8s-app", "ToBeDeletedByClusterAutoscaler"]);
/** Values of labels and annotations that only switch something, or name a controller of Kubernetes. */
const plainValue = /^(true|false|Auto|auto|Disabled|disabled|([a-z0-9-]+\.)+k8s\.io)$/;
const kubernetesType =
  /^(v1|apps\/v1|batch\/v1|autoscaling\/v[12]|Pod|Node|Service|ReplicaSet|Deployment|StatefulSet|DaemonSet|Job|CronJob)$/;

function isPrivate(value: string, role: LeafRole): boolean {
  switch (role) {
    case "as-is":
      return false;
    case "type":
      return !kubernetesType.test(value);
    case "label-key":
      return !kubernetesKey.test(value) && !plainKeys.has(value);
    case "label-value":
    case "annotation-value":
      return !plainValue.test(value) && value !== "";
    case "address":
      // A headless Service's cluster IP.
      return value !== "None" && value !== "";
    default:
      return true;
  }
}
