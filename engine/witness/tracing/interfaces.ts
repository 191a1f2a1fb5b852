// Interfaces by class: one for each name and each pattern that some rule has, and one for all others. A test of a name makes the
// box a single class: there are few.
import { equalBytes } from "../../bytes/compare";
import { Vector } from "../../bytes/memory";
import { nameBytes, nameLength } from "../model/names";
import { Flag, Op } from "../model/rules";

/** Of each class: name, and whether it stands for all that begin so. Class 0 are all others, class 1 is none (sent by the node). */
const classes = new Vector();

export namespace Interface {
  export const OTHER: u32 = 0;
  export const NONE: u32 = 1;
  export const LOOPBACK: u32 = 2;
}

export function resetInterfaces(loopback: u32): void {
  classes.clear();
  classes.push(0);
  classes.push(1);
  classes.push(0);
  classes.push(0);
  classes.push(loopback);
  classes.push(0);
}

export function interfaceCount(): u32 {
  return classes.length >> 1;
}

/** The class of a name or pattern, made if there is none. */
export function interfaceClass(name: u32, isPrefix: bool): u32 {
  for (let i: u32 = Interface.LOOPBACK; i < interfaceCount(); i++) {
    if (classes.get(i << 1) == name && classes.get((i << 1) | 1) == <u32>isPrefix) return i;
  }
  classes.push(name);
  classes.push(<u32>isPrefix);
  return interfaceCount() - 1;
}

export function interfaceName(number: u32): u32 {
  return classes.get(number << 1);
}
export function interfaceIsPrefix(number: u32): bool {
  return classes.get((number << 1) | 1) != 0;
}

/** Whether interfaces of a class have the name, or begin with it. A class of a pattern has no name that some rule has whole. */
export function interfaceMatches(number: u32, name: u32, isPrefix: bool): bool {
  if (number < Interface.LOOPBACK) return isPrefix && nameLength(name) == 0;
  const own = interfaceName(number);
  if (!isPrefix) return own == name && !interfaceIsPrefix(number);
  if (nameLength(own) < nameLength(name)) return false;
  return equalBytes(nameBytes(own), nameLength(name), nameBytes(name), nameLength(name));
}

/** Makes the classes of a statement. */
export function noteInterface(word: u32, name: u32): void {
  if ((word & 0xff) == Op.INTERFACE) interfaceClass(name, ((word >> 8) & Flag.PREFIX) != 0);
}
