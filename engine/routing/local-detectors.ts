// How traffic from this node's pods is recognised (detectLocalMode).
import { parseCIDR } from "../bytes/address";
import { arenaAlloc } from "../bytes/memory";
import { IPV4, IPV6 } from "../bytes/protocols";
import { NodeRecord, RangeRecord } from "../cluster/records";
import { block, FamilyFacts, factsOf, formatCIDR, LocalDetector } from "./family-facts";
import { DetectLocalMode, MAX_INTERFACE_NAME, options } from "./options";
import { podCIDRRecord } from "./this-node";

function setLocalText(facts: FamilyFacts, detector: u32, text: usize, length: usize): void {
  facts.localDetector = detector;
  facts.localText = block(length);
  facts.localTextLength = length;
  memory.copy(facts.localText, text, length);
}

function setLocalCIDR(facts: FamilyFacts, ip: usize, prefix: u32): void {
  const text = arenaAlloc(80);
  facts.localIP = block(16);
  facts.localPrefix = prefix;
  memory.copy(facts.localIP, ip, 16);
  setLocalText(facts, LocalDetector.SOURCE, text, formatCIDR(text, facts.family, ip, prefix) - text);
}

let listAt: usize = 0; // rest of the comma-separated list that `nextInList` walks
let listEnd: usize = 0;
let itemStart: usize = 0;
let itemLength: usize = 0;

/** The next item of a comma-separated list, trimmed of spaces: `itemStart`, `itemLength`. */
function nextInList(): bool {
  if (listAt > listEnd) return false;
  let end = listAt;
  while (end < listEnd && load<u8>(end) != 0x2c) end++;
  let start = listAt;
  listAt = end + 1;
  while (start < end && load<u8>(start) <= 0x20) start++;
  while (end > start && load<u8>(end - 1) <= 0x20) end--;
  itemStart = start;
  itemLength = end - start;
  return true;
}

/** Sets how each family's are recognised. */
export function findLocalDetectors(): void {
  factsOf(IPV4).localDetector = LocalDetector.NONE;
  factsOf(IPV6).localDetector = LocalDetector.NONE;
  const o = options();
  const ip = arenaAlloc(16);
  if (o.detectLocalMode == DetectLocalMode.CLUSTER_CIDR) {
    listAt = o.clusterCIDR;
    listEnd = o.clusterCIDR + o.clusterCIDRLength;
    while (nextInList()) {
      const parsed = parseCIDR(itemStart, itemLength, ip);
      if (parsed < 0) continue;
      const facts = factsOf(parsed >> 8 == 4 ? IPV4 : IPV6);
      if (facts.localDetector == LocalDetector.NONE) setLocalCIDR(facts, ip, parsed & 0xff);
    }
  } else if (o.detectLocalMode == DetectLocalMode.NODE_CIDR) {
    if (podCIDRRecord == 0) return;
    const node = changetype<NodeRecord>(podCIDRRecord);
    for (let i: u32 = 0; i < node.podCIDRCount; i++) {
      const at = podCIDRRecord + offsetof<NodeRecord>() + <usize>i * offsetof<RangeRecord>();
      const range = changetype<RangeRecord>(at);
      const facts = factsOf(<u32>range.family);
      if (facts.localDetector != LocalDetector.NONE) continue;
      setLocalCIDR(facts, at + offsetof<RangeRecord>("word0"), <u32>range.prefix);
    }
  } else {
    const prefix = o.detectLocalMode == DetectLocalMode.INTERFACE_NAME_PREFIX;
    const text = prefix ? o.interfaceNamePrefix : o.bridgeInterface;
    const length = prefix ? o.interfaceNamePrefixLength : o.bridgeInterfaceLength;
    if (length == 0) return;
    // A prefix as long as a name can be is a name, and neither iptables nor nft takes a + or * after it.
    const isWhole = !prefix || length == MAX_INTERFACE_NAME;
    const detector = isWhole ? LocalDetector.INTERFACE : LocalDetector.INTERFACE_PREFIX;
    setLocalText(factsOf(IPV4), detector, text, length);
    setLocalText(factsOf(IPV6), detector, text, length);
  }
}
