// How a plan of an nftables layout is cut into transactions.
import { Vector } from "../bytes/memory";
import { outFlush, StreamName } from "../bytes/out";
import { sortVector } from "../bytes/sort";
import { Service, sortedServices } from "../cluster/services";
import { nft } from "../encodings/nft";
import { stalePorts } from "../routing/refresh";
import { comparePorts, FamilyPort, ServicePort } from "../routing/service-ports";
import { beginBatch, endBatch } from "./batches";
import { writeLeftovers } from "./nft-elements";

/** Services per transaction of a big load: the kernel's cost grows with anonymous maps times commands. */
const SERVICES_PER_BATCH: u32 = 1000;

function compareFamilyPorts(a: u32, b: u32): i32 {
  return comparePorts(changetype<FamilyPort>(<usize>a).port, changetype<FamilyPort>(<usize>b).port);
}

/** Fills `ports` with the service ports of the family that the plan has to look at, by Service, name and protocol. */
export function listStalePorts(family: u32, ports: Vector): void {
  ports.clear();
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    if (changetype<FamilyPort>(<usize>stalePorts.get(i)).family == family) ports.push(stalePorts.get(i));
  }
  sortVector(ports, 0, ports.length, compareFamilyPorts);
}

/** Fills `ports` with those of the family that are present, in the same order. */
export function listPresentPorts(family: u32, ports: Vector): void {
  ports.clear();
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    let at = changetype<Service>(<usize>services.get(i)).ports;
    for (; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at).family(family);
      if (port != 0 && changetype<FamilyPort>(port).present) ports.push(<u32>port);
    }
  }
}

/** Ends the transaction that is being written. */
export function endPart(services: u32, full: bool): void {
  nft.finish();
  outFlush(StreamName.MAIN);
  endBatch(services, full);
}

/** Services of the transaction that `writeParts` has left open, and whether it is the one that has the stock rules. */
export let openServices: u32 = 0;
export let openFull: bool = false;

/**
 * Calls `write` with each port. A transaction is open and stays open, but ends and a new one begins after many Services:
 * ports of one Service stay together, so that none is ever half loaded. `full`: the open one has the stock rules.
 */
export function writeParts(family: u32, ports: Vector, full: bool, write: (port: FamilyPort) => void): void {
  openServices = 0;
  openFull = full;
  let last: usize = 0;
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = changetype<FamilyPort>(<usize>ports.get(i));
    const service = changetype<usize>(port.port.service);
    if (service != last && openServices >= SERVICES_PER_BATCH) {
      writeLeftovers();
      endPart(openServices, openFull);
      beginBatch(family, 0);
      openServices = 0;
      openFull = false;
    }
    if (service != last) openServices++;
    last = service;
    write(port);
  }
}
