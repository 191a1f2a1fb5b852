// Checks the options before they are taken: what is in them goes into rule text.
import { addProblem, beginText, Severity, textDecimal, textLiteral, textQuoted } from "../abi/problems";
import { parseAddress, parseCIDR } from "../bytes/address";
import { equalLiteral } from "../bytes/compare";
import { arenaAlloc } from "../bytes/memory";
import { DetectLocalMode, MAX_INTERFACE_NAME, Mode, Options } from "./options";

let wrong: bool = false;

function report(field: string, code: string, text: usize, length: usize, hint: string): void {
  wrong = true;
  const problem = addProblem(Severity.ERROR, code, 0);
  problem.setObject("KubeProxyConfiguration", 0, 0, 0, 0);
  problem.setField(field);
  beginText();
  textQuoted(text, length);
  textLiteral(" is not valid here");
  problem.setMessage();
  problem.setHint(hint);
}

/**
 * What the kernel takes (dev_valid_name: no blanks, / and :), without what rule text can't hold: " and \ end or change a word
 * of it, and * stands for a prefix in nft.
 */
function isInterfaceName(text: usize, length: usize): bool {
  if (length == 0 || length > MAX_INTERFACE_NAME) return false;
  for (let i: usize = 0; i < length; i++) {
    const c = load<u8>(text + i);
    if (c <= 0x20 || c == 0x7f || c == 0xa0) return false;
    if (c == 0x22 || c == 0x2a || c == 0x2f || c == 0x3a || c == 0x5c) return false;
  }
  return true;
}

/** Names that are no interface's, or a word of iptables of their own. */
function isReserved(text: usize, length: usize): bool {
  return equalLiteral(text, length, ".") || equalLiteral(text, length, "..") || equalLiteral(text, length, "!");
}

function checkClusterCIDR(text: usize, length: usize): void {
  const ip = arenaAlloc(16);
  let start: usize = 0;
  for (let i: usize = 0; i <= length; i++) {
    if (i < length && load<u8>(text + i) != 0x2c) continue;
    let from = start;
    let to = i;
    while (from < to && load<u8>(text + from) <= 0x20) from++;
    while (to > from && load<u8>(text + to - 1) <= 0x20) to--;
    if (parseCIDR(text + from, to - from, ip) < 0) {
      report(
        "clusterCIDR",
        "invalid-cidr",
        text + from,
        to - from,
        "write CIDRs separated by commas, e.g. 10.244.0.0/16",
      );
    }
    start = i + 1;
  }
}

function checkNodePortAddress(text: usize, length: usize): void {
  if (equalLiteral(text, length, "primary")) return;
  if (equalLiteral(text, length, "localhost") || equalLiteral(text, length, "all")) return;
  if (parseCIDR(text, length, arenaAlloc(16)) >= 0) return;
  report("nodePortAddresses", "invalid-cidr", text, length, "write a CIDR, or one of: primary, localhost, all");
}

function checkInterface(text: usize, length: usize, isPrefix: bool, field: string): void {
  if (!isInterfaceName(text, length) || (!isPrefix && isReserved(text, length))) {
    report(field, "invalid-interface", text, length, 'write 1 to 15 bytes without blanks and none of / : " \\ *');
  }
}

/** Reports what is wrong with the options. True if they can be taken. */
export function checkOptions(o: Options): bool {
  wrong = false;
  if (o.detectLocalMode == DetectLocalMode.CLUSTER_CIDR && o.clusterCIDRLength != 0) {
    checkClusterCIDR(o.clusterCIDR, o.clusterCIDRLength);
  }
  if (o.detectLocalMode == DetectLocalMode.BRIDGE_INTERFACE) {
    checkInterface(o.bridgeInterface, o.bridgeInterfaceLength, false, "detectLocal.bridgeInterface");
  }
  if (o.detectLocalMode == DetectLocalMode.INTERFACE_NAME_PREFIX) {
    const length = o.interfaceNamePrefixLength;
    checkInterface(o.interfaceNamePrefix, length, true, "detectLocal.interfaceNamePrefix");
    // It is written as a whole name, which iptables would read as a prefix again, and a shorter one.
    if (
      o.mode == Mode.IPTABLES &&
      length == MAX_INTERFACE_NAME &&
      load<u8>(o.interfaceNamePrefix + length - 1) == 0x2b
    ) {
      const hint = "leave out the + at the end, which has the same effect";
      report("detectLocal.interfaceNamePrefix", "interface-wildcard", o.interfaceNamePrefix, length, hint);
    }
  }
  if (o.masqueradeBit > 31) {
    wrong = true;
    const problem = addProblem(Severity.ERROR, "invalid-mark", 0);
    problem.setObject("KubeProxyConfiguration", 0, 0, 0, 0);
    problem.setField("masqueradeBit");
    beginText();
    textDecimal(<u32>o.masqueradeBit);
    textLiteral(" is not a bit of a packet mark");
    problem.setMessage();
    problem.setHint("write a number from 0 to 31");
  }
  if (o.bindAddressLength != 0 && parseAddress(o.bindAddress, o.bindAddressLength, arenaAlloc(16)) == 0) {
    report("bindAddress", "invalid-address", o.bindAddress, o.bindAddressLength, "write an IPv4 or IPv6 address");
  }
  for (let i: usize = 0; i < o.nodePortAddressCount; i++) {
    const at = o.nodePortAddresses + (i << 3);
    checkNodePortAddress(load<usize>(at), load<usize>(at, 4));
  }
  if ((o.hasInterfaceAddresses & 0xff) != 0) {
    for (let i: usize = 0; i < o.interfaceAddressCount; i++) {
      const at = o.interfaceAddresses + (i << 3);
      const length = load<usize>(at, 4);
      if (parseAddress(load<usize>(at), length, arenaAlloc(16)) == 0) {
        report(
          "interfaceAddresses",
          "invalid-address",
          load<usize>(at),
          length,
          "pass addresses without prefix length",
        );
      }
    }
  }
  return !wrong;
}
