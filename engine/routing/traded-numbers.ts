// Do ports of one Service take over each other's numbers? Port by port, the first would give a number back before the other takes
// it, and in between nobody would answer there: such a Service can't be taken up in portions.

import { PortRecord } from "../cluster/records";
import { Service } from "../cluster/services";
import { FamilyPort, ServicePort } from "./service-ports";

/** A bit for each number: three protocols, ports and node ports. */
const NUMBERS: usize = 65536 / 8;
const SIZE: usize = 3 * 2 * NUMBERS;
let given: usize = 0;

function placeOf(protocol: u32, isNodePort: bool, number: u32): usize {
  return given + (<usize>protocol * 2 + <usize>isNodePort) * NUMBERS + (number >> 3);
}

function give(protocol: u32, isNodePort: bool, number: u32): void {
  if (number == 0) return;
  const at = placeOf(protocol, isNodePort, number);
  store<u8>(at, load<u8>(at) | ((<u8>1) << (<u8>(number & 7))));
}

function isGiven(protocol: u32, isNodePort: bool, number: u32): bool {
  return number != 0 && (load<u8>(placeOf(protocol, isNodePort, number)) & ((<u8>1) << (<u8>(number & 7)))) != 0;
}

/** The port gives numbers back when it has its turn. Those that are gone come last, so what they give back is taken by then. */
function givesBack(port: ServicePort, at: usize): bool {
  if (at == 0 || port.record == 0) return false;
  const claimed = changetype<FamilyPort>(at);
  const wanted = changetype<PortRecord>(port.record);
  let gives = false;
  if (claimed.claimedPort != 0 && claimed.claimedPort != wanted.port) {
    give(port.protocol, false, claimed.claimedPort);
    gives = true;
  }
  if (claimed.claimedNodePort != 0 && claimed.claimedNodePort != wanted.nodePort) {
    give(port.protocol, true, claimed.claimedNodePort);
    gives = true;
  }
  return gives;
}

/** The Service's ports are those of its record, and have the claims that they had before. */
export function tradesNumbers(service: Service): bool {
  if (given == 0) {
    given = heap.alloc(SIZE);
    memory.fill(given, 0, SIZE);
  }
  let gives = false;
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const port = changetype<ServicePort>(at);
    if (givesBack(port, port.ipv4)) gives = true;
    if (givesBack(port, port.ipv6)) gives = true;
  }
  if (!gives) return false;
  let takes = false;
  for (let at = service.ports; at != 0 && !takes; at = changetype<ServicePort>(at).next) {
    const port = changetype<ServicePort>(at);
    if (port.record == 0) continue;
    const wanted = changetype<PortRecord>(port.record);
    takes = isGiven(port.protocol, false, wanted.port) || isGiven(port.protocol, true, wanted.nodePort);
  }
  memory.fill(given, 0, SIZE);
  return takes;
}
