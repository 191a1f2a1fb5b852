// `spec.ports` of a Service.

import { Severity } from "../abi/problems";
import { PortRecord } from "../cluster/records";
import { checkName, readInto } from "./metadata";
import { keepLastPorts, orderedPort, orderedPorts, orderPorts, PortItem } from "./port-items";
import { DEFAULT_PROTOCOL, readProtocol } from "./protocol";
import { literalProblem, numberProblem, objectErrors } from "./report";
import { moreElements, moreMembers, peek, position, readKey, stringIs } from "./scanner";
import { clearText, newText, Scratch, Text } from "./scratch";
import { skipValue } from "./skip";
import { integer, integerAt, openArray, openObject, readInteger } from "./values";

const PORT_HINT = "use a number from 1 to 65535";
const PORT_SIZE: usize = offsetof<PortRecord>();

const ports = new Scratch(offsetof<PortItem>());
const portName: Text = newText();

export function releaseServicePorts(): void {
  ports.release();
}

export function clearServicePorts(): void {
  ports.clear();
}

function readPort(index: u32): void {
  peek();
  const elementAt = position();
  let port: i32 = 0;
  let portAt: usize = 0;
  let nodePort: i32 = 0;
  let nodePortAt: usize = 0;
  let isReported = false;
  let protocol = DEFAULT_PROTOCOL;
  clearText(portName);
  if (openObject()) {
    do {
      readKey();
      if (stringIs("name")) {
        readInto(portName);
      } else if (stringIs("port")) {
        const errors = objectErrors;
        const isNumber = readInteger();
        port = isNumber ? integer : 0;
        portAt = isNumber ? integerAt : 0;
        isReported = objectErrors != errors;
      } else if (stringIs("nodePort")) {
        nodePort = readInteger() ? integer : 0;
        nodePortAt = integerAt;
      } else if (stringIs("protocol")) {
        protocol = readProtocol();
      } else {
        skipValue();
      }
    } while (moreMembers());
  }
  if (isReported) return;
  if (portAt == 0) {
    literalProblem(Severity.ERROR, "invalid-port", elementAt, "there is no port number", PORT_HINT);
    return;
  }
  if (port < 1 || port > 65535) {
    numberProblem("invalid-port", portAt, port, " is no port number", PORT_HINT);
    return;
  }
  if (nodePort < 0 || nodePort > 65535) {
    numberProblem("invalid-port", nodePortAt, nodePort, " is no port number", PORT_HINT);
    return;
  }
  if (!checkName(portName.bytes, portName.length, 63, portName.valueAt)) return;
  const item = changetype<PortItem>(ports.add());
  item.name = portName.bytes;
  item.nameLength = portName.length;
  item.index = index;
  item.port = <u16>port;
  item.nodePort = <u16>nodePort;
  item.protocol = <u8>protocol;
}

/** Reads the value of the key `ports`. */
export function readServicePorts(): void {
  ports.clear();
  if (!openArray()) return;
  let index: u32 = 0;
  do readPort(index++);
  while (moreElements());
}

/** Puts the ports in order and leaves the last of each name and protocol; returns how many there are. */
export function countServicePorts(): u32 {
  orderPorts(ports);
  keepLastPorts();
  return orderedPorts.length;
}

/** After `countServicePorts`: writes PortRecords from `offset` in the record, their names from `namesOffset`. */
export function writeServicePorts(record: usize, offset: usize, namesOffset: usize): void {
  let nameOffset = namesOffset;
  for (let i: u32 = 0; i < orderedPorts.length; i++) {
    const port = orderedPort(i);
    const to = changetype<PortRecord>(record + offset + <usize>i * PORT_SIZE);
    to.port = port.port;
    to.nodePort = port.nodePort;
    to.protocol = port.protocol;
    to.nameLength = <u8>port.nameLength;
    to.nameOffset = <u32>nameOffset;
    to.index = port.index;
    memory.copy(record + nameOffset, port.name, port.nameLength);
    nameOffset += port.nameLength;
  }
}
