// Reads Nodes (v1) into NodeRecords.
import { Severity } from "../abi/problems";
import { parseAddress } from "../bytes/address";
import { equalLiteral } from "../bytes/compare";
import { IPV4, IPV6 } from "../bytes/protocols";
import { sizeOf } from "../bytes/sizes";
import { NodeAddressKind, NodeAddressRecord, NodeFlag, NodeRecord } from "../cluster/records";
import { deleteNode, keepNode, storeNode } from "../cluster/store";
import { readOtherMember } from "./identity";
import { checkNames, isDeleting, nameText, readInto, readMetadata, resetMetadata, zoneText } from "./metadata";
import { accepted, Outcome } from "./outcome";
import { checkRanges, RANGE_SIZE } from "./ranges";
import { dropObjectProblems, objectErrors, valueProblem } from "./report";
import { enterObject, moreElements, moreMembers, readKey, stringIs } from "./scanner";
import { clearText, newText, recordRoom, Scratch, Text } from "./scratch";
import { skipValue } from "./skip";
import { newTexts, readTexts } from "./texts";
import { openArray, openObject } from "./values";

const HEADER_SIZE: usize = offsetof<NodeRecord>();
const ADDRESS_SIZE: usize = offsetof<NodeAddressRecord>();

/** One of `status.addresses` that is an InternalIP or ExternalIP. */
@unmanaged
class Address {
  bytes: usize;
  length: usize;
  valueAt: usize;
  kind: u32;
  index: u32;
}

const podCIDRs = newTexts();
const podCIDR: Text = newText();
const listed = new Scratch(offsetof<Address>());
const ranges = new Scratch(RANGE_SIZE);
const addresses = new Scratch(ADDRESS_SIZE);
const addressText: Text = newText();
const typeText: Text = newText();
const taintKey: Text = newText();
let toBeDeleted: bool = false;

export function releaseNodes(): void {
  podCIDRs.release();
  listed.release();
  ranges.release();
  addresses.release();
}

function resetSpec(): void {
  podCIDRs.clear();
  clearText(podCIDR);
  toBeDeleted = false;
}

function readTaint(): void {
  clearText(taintKey);
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("key")) readInto(taintKey);
    else skipValue();
  } while (moreMembers());
  if (equalLiteral(taintKey.bytes, taintKey.length, "ToBeDeletedByClusterAutoscaler")) toBeDeleted = true;
}

function readTaints(): void {
  toBeDeleted = false;
  if (!openArray()) return;
  do readTaint();
  while (moreElements());
}

function readSpec(): void {
  resetSpec();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("podCIDRs")) readTexts(podCIDRs);
    else if (stringIs("podCIDR")) readInto(podCIDR);
    else if (stringIs("taints")) readTaints();
    else skipValue();
  } while (moreMembers());
}

function readAddress(index: u32): void {
  clearText(addressText);
  clearText(typeText);
  if (openObject()) {
    do {
      readKey();
      if (stringIs("type")) readInto(typeText);
      else if (stringIs("address")) readInto(addressText);
      else skipValue();
    } while (moreMembers());
  }
  const isInternal = equalLiteral(typeText.bytes, typeText.length, "InternalIP");
  if (!isInternal && !equalLiteral(typeText.bytes, typeText.length, "ExternalIP")) return;
  const item = changetype<Address>(listed.add());
  item.bytes = addressText.bytes;
  item.length = addressText.length;
  item.valueAt = addressText.valueAt;
  item.kind = isInternal ? NodeAddressKind.INTERNAL_IP : NodeAddressKind.EXTERNAL_IP;
  item.index = index;
}

function readAddresses(): void {
  listed.clear();
  if (!openArray()) return;
  let index: u32 = 0;
  do readAddress(index++);
  while (moreElements());
}

function readStatus(): void {
  listed.clear();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("addresses")) readAddresses();
    else skipValue();
  } while (moreMembers());
}

/** At `{`: reads a Node into the scratch lists. */
export function readNode(): void {
  resetMetadata();
  resetSpec();
  listed.clear();
  if (!enterObject()) return;
  do {
    readKey();
    if (stringIs("metadata")) readMetadata();
    else if (stringIs("spec")) readSpec();
    else if (stringIs("status")) readStatus();
    else readOtherMember();
  } while (moreMembers());
}

const words: usize = heap.alloc(16);

function checkAddresses(): void {
  addresses.clear();
  for (let i: u32 = 0; i < listed.length; i++) {
    const item = changetype<Address>(listed.at(i));
    const family = parseAddress(item.bytes, item.length, words);
    if (family != 0) {
      const address = addresses.add();
      const record = changetype<NodeAddressRecord>(address);
      record.kind = <u8>item.kind;
      record.family = <u8>(family == 4 ? IPV4 : IPV6);
      record.index = item.index;
      v128.store(address, v128.load(words), offsetof<NodeAddressRecord>("word0"));
      continue;
    }
    if (item.length == 0) continue;
    valueProblem(
      Severity.WARNING,
      "invalid-address",
      item.valueAt,
      item.bytes,
      item.length,
      " is no IP address; it is left out",
      "ask whoever runs the node's kubelet to correct it",
    );
  }
}

function buildRecord(): usize {
  const rangesSize = sizeOf(ranges.length, RANGE_SIZE);
  const addressesSize = sizeOf(addresses.length, ADDRESS_SIZE);
  const zoneOffset = sizeOf(1, HEADER_SIZE + rangesSize, addressesSize);
  const size = (zoneOffset + zoneText.length + 3) & ~3;
  const record = recordRoom(size);
  const node = changetype<NodeRecord>(record);
  node.size = <u32>size;
  node.podCIDRCount = ranges.length;
  node.addressCount = addresses.length;
  node.zoneOffset = <u32>zoneOffset;
  node.zoneLength = <u32>zoneText.length;
  node.flags = (isDeleting ? NodeFlag.DELETING : 0) | (toBeDeleted ? NodeFlag.TO_BE_DELETED : 0);
  memory.copy(record + HEADER_SIZE, ranges.data, rangesSize);
  memory.copy(record + HEADER_SIZE + rangesSize, addresses.data, addressesSize);
  memory.copy(record + zoneOffset, zoneText.bytes, zoneText.length);
  return record;
}

/** Stores or deletes the Node that was read. */
export function commitNode(deleted: bool): u32 {
  if (deleted) {
    dropObjectProblems();
    if (!checkNames(false)) return Outcome.REFUSED;
    return accepted(deleteNode(nameText.bytes, nameText.length));
  }
  if (podCIDRs.length == 0 && podCIDR.length != 0) {
    const item = changetype<Text>(podCIDRs.add());
    item.bytes = podCIDR.bytes;
    item.length = podCIDR.length;
    item.valueAt = podCIDR.valueAt;
  }
  checkRanges(podCIDRs, ranges);
  checkAddresses();
  if (!checkNames(false) || objectErrors > 0) {
    if (nameText.length != 0) keepNode(nameText.bytes, nameText.length);
    return Outcome.REFUSED;
  }
  return accepted(storeNode(nameText.bytes, nameText.length, buildRecord()));
}
