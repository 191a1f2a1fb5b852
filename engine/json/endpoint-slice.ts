// Reads EndpointSlices (discovery.k8s.io) into SliceRecords.
import { Severity } from "../abi/problems";
import { parseAddress } from "../bytes/address";
import { equalLiteral } from "../bytes/compare";
import { IPV4, IPV6 } from "../bytes/protocols";
import { sizeOf } from "../bytes/sizes";
import { droppedMilliseconds, NO_TIMESTAMP, parseTimestamp } from "../bytes/timestamp";
import { EndpointFlag, EndpointRecord, SlicePortRecord, SliceRecord } from "../cluster/records";
import { deleteSlice, keepSlice, noteSliceTrigger, storeSlice } from "../cluster/store";
import { internString, NO_STRING } from "../cluster/strings";
import { measuresChanges } from "../cluster/trigger-times";
import { nodeHints, readHints, releaseHints, resetHints, zoneHints } from "./hints";
import { readOtherMember } from "./identity";
import {
  checkName,
  checkNames,
  hasHeadless,
  namespaceText,
  nameText,
  readInto,
  readMetadata,
  resetMetadata,
  serviceNameText,
  triggerTimeText,
} from "./metadata";
import { accepted, Outcome } from "./outcome";
import { orderedPort, orderPorts, PortItem, portNamesSize } from "./port-items";
import { DEFAULT_PROTOCOL, readProtocol } from "./protocol";
import { dropObjectProblems, numberProblem, objectErrors, valueProblem } from "./report";
import { enterObject, moreElements, moreMembers, readKey, stringAt, stringIs, stringLength, valueAt } from "./scanner";
import { clearText, newText, recordRoom, Scratch, Text } from "./scratch";
import { skipValue } from "./skip";
import { integer, integerAt, openArray, openObject, readBoolean, readInteger, readText, Truth } from "./values";

const SLICE_SIZE: usize = offsetof<SliceRecord>();
const PORT_SIZE: usize = offsetof<SlicePortRecord>();
const ENDPOINT_SIZE: usize = offsetof<EndpointRecord>();

/** One of `endpoints` with an address. Strings become ids only when the slice is stored. */
@unmanaged
class Endpoint {
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
  flags: u32;
  /** Index in `endpoints`. */
  index: u32;
  /** 4 or 6; 0 if `addresses[0]` is no IP address. */
  family: u32;
  /** The text of `addresses[0]`, and where it is. */
  address: usize;
  addressLength: usize;
  addressAt: usize;
  nodeName: usize;
  nodeNameLength: usize;
  zone: usize;
  zoneLength: usize;
  zoneHints: usize;
  zoneHintsLength: usize;
  nodeHints: usize;
  nodeHintsLength: usize;
}

const ports = new Scratch(offsetof<PortItem>());
const endpoints = new Scratch(offsetof<Endpoint>());
const addressType: Text = newText();
const nodeName: Text = newText();
const zone: Text = newText();
const portName: Text = newText();

export function releaseEndpointSlices(): void {
  ports.release();
  endpoints.release();
  releaseHints();
}

function readPort(index: u32): void {
  let hasName = false;
  let port: i32 = 0;
  let protocol = DEFAULT_PROTOCOL;
  let portAt: usize = 0;
  clearText(portName);
  if (openObject()) {
    do {
      readKey();
      if (stringIs("name")) {
        readInto(portName);
        hasName = portName.valueAt != 0;
      } else if (stringIs("port")) {
        port = readInteger() ? integer : 0;
        portAt = integerAt;
      } else if (stringIs("protocol")) {
        protocol = readProtocol();
      } else {
        skipValue();
      }
    } while (moreMembers());
  }
  if (port < 0 || port > 65535) {
    numberProblem("invalid-port", portAt, port, " is no port number", "use a number from 1 to 65535");
    return;
  }
  if (hasName && !checkName(portName.bytes, portName.length, 63, portName.valueAt)) return;
  if (!hasName || port == 0) return;
  const item = changetype<PortItem>(ports.add());
  item.name = portName.bytes;
  item.nameLength = portName.length;
  item.index = index;
  item.port = <u16>port;
  item.protocol = <u8>protocol;
}

function readPorts(): void {
  ports.clear();
  if (!openArray()) return;
  let index: u32 = 0;
  do readPort(index++);
  while (moreElements());
}

/** Flags of an endpoint that has no conditions. */
const NO_CONDITIONS: u32 = EndpointFlag.READY | EndpointFlag.SERVING;

function readConditions(): u32 {
  let flags = NO_CONDITIONS;
  if (!openObject()) return flags;
  do {
    readKey();
    if (stringIs("ready")) {
      flags |= EndpointFlag.READY;
      if (readBoolean() == Truth.FALSE) flags &= ~EndpointFlag.READY;
    } else if (stringIs("serving")) {
      flags |= EndpointFlag.SERVING;
      if (readBoolean() == Truth.FALSE) flags &= ~EndpointFlag.SERVING;
    } else if (stringIs("terminating")) {
      flags &= ~EndpointFlag.TERMINATING;
      if (readBoolean() == Truth.TRUE) flags |= EndpointFlag.TERMINATING;
    } else {
      skipValue();
    }
  } while (moreMembers());
  return flags;
}

/** Reads `addresses` into the endpoint; false if there are none. */
function readAddresses(endpoint: Endpoint): bool {
  endpoint.family = 0;
  if (!openArray()) return false;
  endpoint.address = 0;
  endpoint.addressLength = 0;
  const errors = objectErrors;
  if (readText()) {
    endpoint.address = stringAt;
    endpoint.addressLength = stringLength;
    endpoint.family = parseAddress(stringAt, stringLength, changetype<usize>(endpoint));
  }
  endpoint.addressAt = valueAt;
  while (moreElements()) skipValue();
  return objectErrors == errors; // what is no string has been reported
}

function readEndpoint(index: u32): void {
  const endpoint = changetype<Endpoint>(endpoints.add());
  endpoint.index = index;
  endpoint.flags = NO_CONDITIONS;
  let hasAddress = false;
  clearText(nodeName);
  clearText(zone);
  resetHints();
  if (openObject()) {
    do {
      readKey();
      if (stringIs("addresses")) hasAddress = readAddresses(endpoint);
      else if (stringIs("conditions")) endpoint.flags = readConditions();
      else if (stringIs("nodeName")) readInto(nodeName);
      else if (stringIs("zone")) readInto(zone);
      else if (stringIs("hints")) readHints();
      else skipValue();
    } while (moreMembers());
  }
  if (!hasAddress) {
    endpoints.length--;
    return;
  }
  endpoint.nodeName = nodeName.bytes;
  endpoint.nodeNameLength = nodeName.length;
  endpoint.zone = zone.bytes;
  endpoint.zoneLength = zone.length;
  endpoint.zoneHints = zoneHints.bytes;
  endpoint.zoneHintsLength = zoneHints.length;
  endpoint.nodeHints = nodeHints.bytes;
  endpoint.nodeHintsLength = nodeHints.length;
}

function readEndpoints(): void {
  endpoints.clear();
  if (!openArray()) return;
  let index: u32 = 0;
  do readEndpoint(index++);
  while (moreElements());
}

/** At `{`: reads an EndpointSlice into the scratch lists. */
export function readEndpointSlice(): void {
  resetMetadata();
  ports.clear();
  endpoints.clear();
  clearText(addressType);
  if (!enterObject()) return;
  do {
    readKey();
    if (stringIs("metadata")) readMetadata();
    else if (stringIs("addressType")) readInto(addressType);
    else if (stringIs("endpoints")) readEndpoints();
    else if (stringIs("ports")) readPorts();
    else readOtherMember();
  } while (moreMembers());
}

/** 4 or 6; 0 for FQDN and whatever else the slice's addresses are. */
function addressFamily(): u32 {
  if (equalLiteral(addressType.bytes, addressType.length, "IPv4")) return 4;
  if (equalLiteral(addressType.bytes, addressType.length, "IPv6")) return 6;
  return 0;
}

/** Counts the endpoints that have an address of the slice's family and warns of the others. */
function checkEndpoints(family: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = changetype<Endpoint>(endpoints.at(i));
    if (endpoint.family == family) {
      count++;
      continue;
    }
    valueProblem(
      Severity.WARNING,
      "invalid-address",
      endpoint.addressAt,
      endpoint.address,
      endpoint.addressLength,
      family == 4 ? " is no IPv4 address; the endpoint is left out" : " is no IPv6 address; the endpoint is left out",
      "correct it, or change addressType",
    );
  }
  return count;
}

function intern(bytes: usize, length: usize): u32 {
  return length == 0 ? NO_STRING : internString(bytes, length);
}

function writeEndpoints(to: usize, family: u32): void {
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = changetype<Endpoint>(endpoints.at(i));
    if (endpoint.family != family) continue;
    const record = changetype<EndpointRecord>(to);
    v128.store(to, v128.load(changetype<usize>(endpoint)));
    record.flags = endpoint.flags;
    record.index = endpoint.index;
    record.nodeName = intern(endpoint.nodeName, endpoint.nodeNameLength);
    record.zone = intern(endpoint.zone, endpoint.zoneLength);
    record.zoneHints = intern(endpoint.zoneHints, endpoint.zoneHintsLength);
    record.nodeHints = intern(endpoint.nodeHints, endpoint.nodeHintsLength);
    to += ENDPOINT_SIZE;
  }
}

function buildRecord(family: u32, endpointCount: u32): usize {
  orderPorts(ports);
  const endpointsOffset = sizeOf(ports.length, PORT_SIZE, SLICE_SIZE);
  const namesOffset = sizeOf(endpointCount, ENDPOINT_SIZE, endpointsOffset);
  const size = (sizeOf(1, namesOffset, serviceNameText.length + portNamesSize()) + 3) & ~3;
  const record = recordRoom(size);
  const slice = changetype<SliceRecord>(record);
  slice.size = <u32>size;
  slice.family = family == 4 ? IPV4 : IPV6;
  slice.portCount = ports.length;
  slice.endpointCount = endpointCount;
  slice.serviceNameOffset = <u32>namesOffset;
  slice.serviceNameLength = <u32>serviceNameText.length;
  let offset = namesOffset;
  memory.copy(record + offset, serviceNameText.bytes, serviceNameText.length);
  offset += serviceNameText.length;
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = orderedPort(i);
    const to = changetype<SlicePortRecord>(record + SLICE_SIZE + <usize>i * PORT_SIZE);
    to.port = port.port;
    to.protocol = port.protocol;
    to.nameLength = <u8>port.nameLength;
    to.nameOffset = <u32>offset;
    to.index = port.index;
    memory.copy(record + offset, port.name, port.nameLength);
    offset += port.nameLength;
  }
  writeEndpoints(record + endpointsOffset, family);
  return record;
}

/** Is it a slice that kube-proxy does not take? What an error has hidden says nothing. */
function isUnselected(family: u32): bool {
  if (hasHeadless || (family == 0 && addressType.length != 0)) return true;
  return (family == 0 || serviceNameText.length == 0) && objectErrors == 0;
}

/** When the change of a Pod or Service happened that has led to this change of the slice. */
function noteTrigger(): void {
  const seconds = parseTimestamp(triggerTimeText.bytes, triggerTimeText.length);
  if (seconds == NO_TIMESTAMP) return;
  const time = seconds * 1000 + <u64>droppedMilliseconds;
  noteSliceTrigger(namespaceText.bytes, namespaceText.length, nameText.bytes, nameText.length, time);
}

/** Stores the slice that was read, or deletes it if that is what happened or it is not one for kube-proxy. */
export function commitEndpointSlice(deleted: bool): u32 {
  const family = addressFamily();
  if (deleted || isUnselected(family)) {
    dropObjectProblems();
    if (!checkNames(true)) return Outcome.REFUSED;
    return accepted(deleteSlice(namespaceText.bytes, namespaceText.length, nameText.bytes, nameText.length));
  }
  checkName(serviceNameText.bytes, serviceNameText.length, 253, serviceNameText.valueAt);
  const endpointCount = family == 0 ? 0 : checkEndpoints(family);
  if (!checkNames(true) || objectErrors > 0) {
    if (nameText.length != 0) {
      keepSlice(namespaceText.bytes, namespaceText.length, nameText.bytes, nameText.length);
    }
    return Outcome.REFUSED;
  }
  const record = buildRecord(family, endpointCount);
  const changed = storeSlice(namespaceText.bytes, namespaceText.length, nameText.bytes, nameText.length, record);
  if (changed && measuresChanges()) noteTrigger();
  return accepted(changed);
}
