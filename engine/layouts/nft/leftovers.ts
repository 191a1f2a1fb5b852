// Elements that a key had and does not need any more. They go at the end of the transaction that has written what takes
// over from them.
import { Vector } from "../../bytes/memory";
import { sortVector } from "../../bytes/sort";
import { nft } from "../../encodings/nft";
import { Verb } from "../../encodings/nft-encoding";
import { Key, KeyKind } from "../../routing/keys";
import { compareKeys, isSet, noEndpoints, removeElement, services, setName, writeSetKey } from "./containers";
import { LOCALHOST_REJECTS } from "./localhost-node-ports";

/** Keys, each once. */
const leftovers = new Vector();

/** `committed…` of the key has more than `planned…`. */
export function leaveOver(key: Key): void {
  leftovers.push(<u32>changetype<usize>(key));
}

export function leftoverCount(): u32 {
  return leftovers.length;
}

/** Deletes all elements that are left over, container by container in kube-proxy's order. */
export function writeLeftovers(): void {
  sortVector(leftovers, 0, leftovers.length, compareKeys);
  for (let pass: u32 = 0; pass < 8; pass++) {
    for (let i: u32 = 0; i < leftovers.length; i++) writeLeftover(changetype<Key>(<usize>leftovers.get(i)), pass);
  }
  leftovers.clear();
}

function writeLeftover(key: Key, pass: u32): void {
  if (isSet(key)) {
    if (pass == (key.kind == <u8>KeyKind.CLUSTER_IP ? 0 : 7)) removeFromSet(key);
    return;
  }
  const nodePort = key.kind == <u8>KeyKind.NODE_PORT;
  const chain = key.plannedChain == 0 && key.committedChain != 0;
  const firewall = key.plannedFirewall == 0 && key.committedFirewall != 0;
  const verdict = key.plannedNoEndpoints == 0 && key.committedNoEndpoints != 0;
  if (chain && pass == (nodePort ? 5 : 1)) removeElement(services(key), key);
  if (firewall && pass == 2) removeElement("firewall-ips", key);
  if (verdict && pass == (nodePort ? 4 : 3)) removeElement(noEndpoints(key), key);
  if (pass == 6 && !key.plannedLocalhost && key.committedLocalhost) removeElement(LOCALHOST_REJECTS, key);
}

function removeFromSet(key: Key): void {
  nft.element(Verb.DELETE, setName(key), 0, 0);
  writeSetKey(key);
  nft.endElement();
}
