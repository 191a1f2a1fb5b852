// A Service's cluster IP of each family.
import { Severity } from "../abi/problems";
import { parseAddress } from "../bytes/address";
import { equalLiteral } from "../bytes/compare";
import { readInto } from "./metadata";
import { valueProblem } from "./report";
import { clearText, newText, Text } from "./scratch";
import { newTexts, readTexts, textAt } from "./texts";

/** The address came from `spec.clusterIP`, not from `spec.clusterIPs`. */
const FROM_CLUSTER_IP: u8 = 0xff;

const clusterIP: Text = newText();
const clusterIPs = newTexts();
const ipFamilies = newTexts();

/** 16 bytes each, and where they come from: the index in `spec.clusterIPs`. */
export const clusterIPv4: usize = heap.alloc(16);
export const clusterIPv6: usize = heap.alloc(16);
export let hasClusterIPv4: bool = false;
export let hasClusterIPv6: bool = false;
export let clusterIPv4Index: u8 = 0;
export let clusterIPv6Index: u8 = 0;

export function releaseClusterIPs(): void {
  clusterIPs.release();
  ipFamilies.release();
}

export function clearClusterIPs(): void {
  clearText(clusterIP);
  clusterIPs.clear();
  ipFamilies.clear();
}

export function readClusterIP(): void {
  readInto(clusterIP);
}

export function readClusterIPs(): void {
  readTexts(clusterIPs);
}

export function readIPFamilies(): void {
  readTexts(ipFamilies);
}

function isNone(text: Text): bool {
  return equalLiteral(text.bytes, text.length, "None");
}

/** Why a Service has no cluster IP. */
export namespace Lack {
  /** It has one. */
  export const NONE: u32 = 0;
  /** Its cluster IP is `None`. */
  export const HEADLESS: u32 = 1;
  export const EXTERNAL_NAME: u32 = 2;
  /** No API server has given it one yet. */
  export const UNASSIGNED: u32 = 3;
}

/** The Service that was read is headless: its cluster IP is `None`. */
export function saysNone(): bool {
  return isNone(clusterIP) || (clusterIP.length == 0 && clusterIPs.length != 0 && isNone(textAt(clusterIPs, 0)));
}

const words: usize = heap.alloc(16);

/** Takes an address for its family, unless that has one; `wanted` is 4, 6 or 0 for either. */
function take(text: Text, wanted: u32, index: u8): void {
  if (text.length == 0 || isNone(text)) return;
  const family = parseAddress(text.bytes, text.length, words);
  if (family == 0 || (wanted != 0 && family != wanted)) {
    valueProblem(
      Severity.ERROR,
      "invalid-address",
      text.valueAt,
      text.bytes,
      text.length,
      family == 0 ? " is no IP address" : " is of another family than spec.ipFamilies says",
      family == 0 ? "write an IPv4 or IPv6 address" : "clusterIPs and ipFamilies must match, one by one",
    );
    return;
  }
  if (family == 4) {
    if (hasClusterIPv4) return;
    hasClusterIPv4 = true;
    clusterIPv4Index = index;
    v128.store(clusterIPv4, v128.load(words));
  } else {
    if (hasClusterIPv6) return;
    hasClusterIPv6 = true;
    clusterIPv6Index = index;
    v128.store(clusterIPv6, v128.load(words));
  }
}

/** The first of `ipFamilies` of each name decides which of `clusterIPs` counts. */
function takeByFamilies(): void {
  let seenV4 = false;
  let seenV6 = false;
  for (let i: u32 = 0; i < ipFamilies.length && i < clusterIPs.length && i < FROM_CLUSTER_IP; i++) {
    const family = textAt(ipFamilies, i);
    if (!seenV4 && equalLiteral(family.bytes, family.length, "IPv4")) {
      seenV4 = true;
      take(textAt(clusterIPs, i), 4, <u8>i);
    } else if (!seenV6 && equalLiteral(family.bytes, family.length, "IPv6")) {
      seenV6 = true;
      take(textAt(clusterIPs, i), 6, <u8>i);
    }
  }
}

/** Decides on the cluster IPs, once all of `spec` has been read. */
export function chooseClusterIPs(): void {
  hasClusterIPv4 = false;
  hasClusterIPv6 = false;
  clusterIPv4Index = 0;
  clusterIPv6Index = 0;
  if (isNone(clusterIP)) return;
  if (ipFamilies.length != 0) {
    takeByFamilies();
  } else if (clusterIP.length != 0) {
    take(clusterIP, 0, FROM_CLUSTER_IP);
  } else {
    // A manifest by hand that leaves out what the API server would fill in.
    for (let i: u32 = 0; i < clusterIPs.length && i < FROM_CLUSTER_IP; i++) take(textAt(clusterIPs, i), 0, <u8>i);
  }
}
