// The named sets and maps that nftables layouts share (kube-proxy: pkg/proxy/nftables): which of them a key stands in, how
// it is written there, and in which order.
import { nft } from "../../encodings/nft";
import { Verb } from "../../encodings/nft-encoding";
import { Key, KeyKind } from "../../routing/keys";

/** The map that says where a key leads. */
export function services(key: Key): string {
  return key.kind == KeyKind.NODE_PORT ? "service-nodeports" : "service-ips";
}

/** The map that says what becomes of packets to a key without endpoints. */
export function noEndpoints(key: Key): string {
  return key.kind == KeyKind.NODE_PORT ? "no-endpoint-nodeports" : "no-endpoint-services";
}

export function writeKey(key: Key): void {
  if (key.kind == KeyKind.NODE_PORT) nft.portKey(<u32>key.protocol, key.port);
  else nft.addressPortKey(key.ip(), <u32>key.protocol, key.port);
}

/** Deletes the element of a key that is no set's. */
export function removeElement(container: string, key: Key): void {
  nft.element(Verb.DELETE, container, 0, 0);
  writeKey(key);
  nft.endElement();
}

/** The key is an element of a set, which leads nowhere. */
export function isSet(key: Key): bool {
  return key.kind == <u8>KeyKind.CLUSTER_IP || key.kind == <u8>KeyKind.HAIRPIN;
}

export function setName(key: Key): string {
  return key.kind == <u8>KeyKind.CLUSTER_IP ? "cluster-ips" : "hairpin-connections";
}

export function writeSetKey(key: Key): void {
  if (key.kind == <u8>KeyKind.CLUSTER_IP) nft.addressKey(key.ip());
  else nft.hairpinKey(key.ip(), <u32>key.protocol, key.port);
}

/** Negative if `a` is written before `b`: both are Keys. */
export function compareKeys(a: u32, b: u32): i32 {
  const left = changetype<Key>(<usize>a);
  const right = changetype<Key>(<usize>b);
  if (left.kind != right.kind) return left.kind < right.kind ? -1 : 1;
  const order = memory.compare(left.ip(), right.ip(), 16);
  if (order != 0) return order;
  if (left.protocol != right.protocol) return left.protocol < right.protocol ? -1 : 1;
  return left.port < right.port ? -1 : left.port == right.port ? 0 : 1;
}
