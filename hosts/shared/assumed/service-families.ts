// What a Service says of its addresses.
import { parseAddress } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import { type Fields, listOf, textOf } from "../manifests/objects.ts";

/** Cluster IPs that it has chosen itself, in order. `None`: it is headless. */
export function chosenClusterIPs(spec: Fields): readonly string[] {
  const all = listOf(spec.clusterIPs).map(textOf);
  return (all.length > 0 ? all : [textOf(spec.clusterIP)]).filter((address) => address !== "");
}

/**
 * In the order of its cluster IPs. Admission has filled them in, but for objects that it does not know, such as one without
 * apiVersion; then the addresses tell, and if there are none the list is empty.
 */
export function familiesOf(spec: Fields): readonly AddressFamily[] {
  const named = listOf(spec.ipFamilies).filter((each) => each === "IPv4" || each === "IPv6");
  if (named.length > 0) return named;
  return chosenClusterIPs(spec)
    .map((text) => parseAddress(text)?.family)
    .filter((family) => family !== undefined);
}

/** It is one that clients reach by an address of the cluster: neither an alias for a name, nor headless. */
export function hasClusterIP(spec: Fields): boolean {
  return spec.type !== "ExternalName" && !chosenClusterIPs(spec).includes("None");
}
