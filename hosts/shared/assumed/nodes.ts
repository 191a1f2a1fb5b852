// Where pods run: the Nodes among the objects, or some that are assumed.

import { type Address, addressText, type Cidr, parseAddress, parseCidr } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import { type Fields, fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import { labelsOf } from "./objects.ts";
import type { AssumeOptions } from "./options.ts";

export interface ClusterNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Fields[];
  readonly unschedulable: boolean;
  /** Empty: it is in none. */
  readonly zone: string;
  /** Of the node itself, one of each family at most. */
  readonly addresses: Readonly<Partial<Record<AddressFamily, string>>>;
  readonly podCidrs: readonly Cidr[];
  readonly isAssumed: boolean;
}

const ZONE = "topology.kubernetes.io/zone";
const HOSTNAME = "kubernetes.io/hostname";
/** TEST-NET-2 (RFC 5737), and a part of what RFC 3849 keeps for documents. */
const FIRST_IPV4: Address = { family: "IPv4", value: 0xc633_6400n };
const FIRST_IPV6: Address = { family: "IPv6", value: 0x2001_0db8_0000_0100n << 64n };

/** In the order of their names. */
export function knownNodes(objects: readonly ManifestObject[]): ClusterNode[] {
  return objects.map(({ name, fields }) => {
    const spec = fieldsOf(fields.spec);
    const labels: Record<string, string> = { [HOSTNAME]: name, ...labelsOf(fields.metadata) };
    const podCidrs = listOf(spec.podCIDRs).map(textOf);
    return {
      name,
      labels,
      taints: listOf(spec.taints).map(fieldsOf),
      unschedulable: spec.unschedulable === true,
      zone: labels[ZONE] ?? "",
      addresses: addressesOf(fieldsOf(fields.status)),
      podCidrs: (podCidrs.length > 0 ? podCidrs : [textOf(spec.podCIDR)])
        .map(parseCidr)
        .filter((cidr) => cidr !== undefined),
      isAssumed: false,
    };
  });
}

/** InternalIPs before ExternalIPs, of each family the first. */
function addressesOf(status: Fields): ClusterNode["addresses"] {
  const found: Partial<Record<AddressFamily, string>> = {};
  const all = listOf(status.addresses).map(fieldsOf);
  for (const type of ["InternalIP", "ExternalIP"]) {
    for (const each of all) {
      const address = each.type === type ? parseAddress(textOf(each.address)) : undefined;
      if (address !== undefined) found[address.family] ??= addressText(address);
    }
  }
  return found;
}

/** Linux nodes `node-1`, `node-2`, …; one of them has the name that is wanted. */
export function assumedNodes({ nodes, zones, nodeName }: AssumeOptions): ClusterNode[] {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`);
  if (nodeName !== "" && !names.includes(nodeName)) names[0] = nodeName;
  return names.map((name, index) => {
    const zone = zones[index % Math.max(zones.length, 1)] ?? "";
    const number = BigInt(index + 1);
    return {
      name,
      labels: {
        [HOSTNAME]: name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        ...(zone === "" ? {} : { [ZONE]: zone }),
      },
      taints: [],
      unschedulable: false,
      zone,
      addresses: {
        IPv4: addressText({ ...FIRST_IPV4, value: FIRST_IPV4.value + number }),
        IPv6: addressText({ ...FIRST_IPV6, value: FIRST_IPV6.value + number }),
      },
      podCidrs: [],
      isAssumed: true,
    };
  });
}

/** A Node object as the API server would send it. */
export function nodeObject({ name, labels, addresses }: ClusterNode): Fields {
  const list = Object.values(addresses).map((address) => ({ type: "InternalIP", address }));
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, status: { addresses: list } };
}
