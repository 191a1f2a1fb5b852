// Ports of a Service or EndpointSlice while they are read, and the order in which records have them.
import { compareBytes } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { sumOf } from "../bytes/sizes";
import { sortVector } from "../bytes/sort";
import { Scratch } from "./scratch";

@unmanaged
export class PortItem {
  name: usize;
  nameLength: usize;
  /** Index in `ports`. */
  index: u32;
  port: u16;
  /** Of Services; 0: none. */
  nodePort: u16;
  protocol: u8;
}

/** Addresses of PortItems, as `orderPorts` has left them. */
export const orderedPorts = new Vector();

export function orderedPort(index: u32): PortItem {
  return changetype<PortItem>(<usize>orderedPorts.get(index));
}

function compareItems(a: u32, b: u32): i32 {
  const left = changetype<PortItem>(<usize>a);
  const right = changetype<PortItem>(<usize>b);
  const order = compareBytes(left.name, left.nameLength, right.name, right.nameLength);
  return order != 0 ? order : <i32>left.protocol - <i32>right.protocol;
}

/** Puts the items by name, then protocol, then place: so service ports find theirs without looking at all. */
export function orderPorts(items: Scratch): void {
  orderedPorts.clear();
  for (let i: u32 = 0; i < items.length; i++) orderedPorts.push(<u32>items.at(i));
  if (items.length > 1) sortVector(orderedPorts, 0, orderedPorts.length, compareItems);
}

/** Of ordered ports of one name and protocol, leaves the last. */
export function keepLastPorts(): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < orderedPorts.length; i++) {
    const isLast = i + 1 == orderedPorts.length || compareItems(orderedPorts.get(i), orderedPorts.get(i + 1)) != 0;
    if (isLast) orderedPorts.set(kept++, orderedPorts.get(i));
  }
  orderedPorts.length = kept;
}

/** How many bytes the names of the ordered ports take. */
export function portNamesSize(): usize {
  let size: u32 = 0;
  for (let i: u32 = 0; i < orderedPorts.length; i++) size = sumOf(size, <u32>orderedPort(i).nameLength);
  return <usize>size;
}
