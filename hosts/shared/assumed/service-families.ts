// What a Service says of its addresses.
import type { AddressFamily } from "../describe.ts";
import { type Fields, listOf, textOf } from "../manifests/objects.ts";

/** Cluster IPs that it has chosen itself, in order. `None`: it is headless. */
export function chosenClusterIPs(spec: Fields): readonly string[] {
  const all = listOf(spec.clusterIPs).map(textOf);
  return (all.length > 0 ? all : [textOf(spec.clusterIP)]).filter((address) => address !== "");
}

/** In the order of its cluster IPs; admission has filled them in. */
export function familiesOf(spec: Fields): readonly AddressFamily[] {
  return listOf(spec.ipFamilies).filter((each) => each === "IPv4" || each === "IPv6");
}

/** It is one that clients reach by an address of the cluster: neither an alias for a name, nor headless. */
export function hasClusterIP(spec: Fields): boolean {
  return spec.type !== "ExternalName" && !chosenClusterIPs(spec).includes("None");
}
