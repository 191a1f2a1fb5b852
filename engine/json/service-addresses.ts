// A Service's addresses other than its cluster IPs: external IPs, load-balancer ingress, source ranges.
import { Severity } from "../abi/problems";
import { parseAddress, parseCIDR } from "../bytes/address";
import { equalLiteral } from "../bytes/compare";
import { IPV4, IPV6 } from "../bytes/protocols";
import { sizeOf } from "../bytes/sizes";
import { AddressKind, AddressRecord, RangeRecord } from "../cluster/records";
import { readInto } from "./metadata";
import { valueProblem } from "./report";
import { moreElements, moreMembers, readKey, stringIs } from "./scanner";
import { clearText, newText, Scratch, Text } from "./scratch";
import { skipValue } from "./skip";
import { isBlank, newTexts, readTexts, textAt, trimText } from "./texts";
import { openArray, openObject } from "./values";

const ADDRESS_SIZE: usize = offsetof<AddressRecord>();
const RANGE_SIZE: usize = offsetof<RangeRecord>();

const externalIPs = newTexts();
const ingressIPs = newTexts(); // one for each entry; empty: it does not count
const sourceRanges = newTexts();

/** What is going to stand in the record. */
const addresses = new Scratch(ADDRESS_SIZE);
const ranges = new Scratch(RANGE_SIZE);

const ip: Text = newText();
const ipMode: Text = newText();

export function releaseServiceAddresses(): void {
  externalIPs.release();
  ingressIPs.release();
  sourceRanges.release();
  addresses.release();
  ranges.release();
}

/** Forgets what `spec` has said. */
export function clearSpecAddresses(): void {
  externalIPs.clear();
  sourceRanges.clear();
}

/** Forgets what `status` has said. */
export function clearStatusAddresses(): void {
  ingressIPs.clear();
}

export function readExternalIPs(): void {
  readTexts(externalIPs);
}

export function readSourceRanges(): void {
  readTexts(sourceRanges);
}

/** How many external IPs are listed, good or bad. */
export function externalIPCount(): u32 {
  return externalIPs.length;
}

/** Reads the value of `ingress`: entries with an ip and ipMode nil or VIP count. */
function readIngress(): void {
  ingressIPs.clear();
  if (!openArray()) return;
  do {
    clearText(ip);
    clearText(ipMode);
    let isVIP = true;
    if (openObject()) {
      do {
        readKey();
        if (stringIs("ip")) {
          readInto(ip);
        } else if (stringIs("ipMode")) {
          readInto(ipMode);
          isVIP = ipMode.valueAt == 0 || equalLiteral(ipMode.bytes, ipMode.length, "VIP");
        } else {
          skipValue();
        }
      } while (moreMembers());
    }
    const item = changetype<Text>(ingressIPs.add());
    if (!isVIP) continue;
    item.bytes = ip.bytes;
    item.length = ip.length;
    item.valueAt = ip.valueAt;
  } while (moreElements());
}

/** Reads the value of `status`. */
export function readServiceStatus(): void {
  clearStatusAddresses();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("loadBalancer")) readLoadBalancer();
    else skipValue();
  } while (moreMembers());
}

function readLoadBalancer(): void {
  clearStatusAddresses();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("ingress")) readIngress();
    else skipValue();
  } while (moreMembers());
}

const words: usize = heap.alloc(16);

function addAddress(kind: u8, index: u32, family: u32): void {
  const address = addresses.add();
  const record = changetype<AddressRecord>(address);
  record.kind = kind;
  record.family = <u8>(family == 4 ? IPV4 : IPV6);
  record.index = index;
  v128.store(address, v128.load(words), offsetof<AddressRecord>("word0"));
}

function checkExternalIPs(): void {
  for (let i: u32 = 0; i < externalIPs.length; i++) {
    const text = textAt(externalIPs, i);
    const family = parseAddress(text.bytes, text.length, words);
    if (family != 0) {
      addAddress(AddressKind.EXTERNAL, i, family);
    } else if (!isBlank(text)) {
      valueProblem(
        Severity.WARNING,
        "invalid-external-ip",
        text.valueAt,
        text.bytes,
        text.length,
        " is no IP address; it is left out",
        "correct it or take it out",
      );
    }
  }
}

function checkIngressIPs(): void {
  for (let i: u32 = 0; i < ingressIPs.length; i++) {
    const text = textAt(ingressIPs, i);
    const family = parseAddress(text.bytes, text.length, words);
    if (family != 0) {
      addAddress(AddressKind.LOAD_BALANCER, i, family);
    } else if (!isBlank(text)) {
      valueProblem(
        Severity.WARNING,
        "invalid-ingress-ip",
        text.valueAt,
        text.bytes,
        text.length,
        " is no IP address; it is left out",
        "ask whoever provides the load balancer to correct it",
      );
    }
  }
}

function checkSourceRanges(): void {
  let openV4 = false; // a range of prefix length 0 is listed
  let openV6 = false;
  for (let i: u32 = 0; i < sourceRanges.length; i++) {
    const text = textAt(sourceRanges, i);
    trimText(text);
    if (text.length == 0) continue;
    const parsed = parseCIDR(text.bytes, text.length, words);
    if (parsed < 0) {
      valueProblem(
        Severity.WARNING,
        "invalid-source-range",
        text.valueAt,
        text.bytes,
        text.length,
        " is no CIDR; it is left out",
        "write a range such as 192.0.2.0/24",
      );
      continue;
    }
    const isV4 = parsed >> 8 == 4;
    const prefix = <u32>parsed & 0xff;
    if (prefix == 0) {
      if (isV4) openV4 = true;
      else openV6 = true;
    }
    const range = ranges.add();
    const record = changetype<RangeRecord>(range);
    record.family = <u8>(isV4 ? IPV4 : IPV6);
    record.prefix = <u8>prefix;
    record.index = i;
    v128.store(range, v128.load(words), offsetof<RangeRecord>("word0"));
  }
  if (openV4) dropRanges(IPV4);
  if (openV6) dropRanges(IPV6);
}

/** Every source of the family is allowed. */
function dropRanges(family: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < ranges.length; i++) {
    const range = ranges.at(i);
    if (changetype<RangeRecord>(range).family == <u8>family) continue;
    if (kept != i) memory.copy(ranges.at(kept), range, RANGE_SIZE);
    kept++;
  }
  ranges.length = kept;
}

/** Turns what was read into records; then the counts are known. */
export function checkServiceAddresses(): void {
  addresses.clear();
  ranges.clear();
  checkExternalIPs();
  checkIngressIPs();
  checkSourceRanges();
}

export function addressCount(): u32 {
  return addresses.length;
}

export function rangeCount(): u32 {
  return ranges.length;
}

/** Bytes that addresses and ranges take in the record. */
export function serviceAddressesSize(): usize {
  return sizeOf(addresses.length, ADDRESS_SIZE, sizeOf(ranges.length, RANGE_SIZE));
}

/** Writes addresses, then ranges. */
export function writeServiceAddresses(to: usize): void {
  const size = <usize>addresses.length * ADDRESS_SIZE;
  memory.copy(to, addresses.data, size);
  memory.copy(to + size, ranges.data, <usize>ranges.length * RANGE_SIZE);
}
