// The packet that a host asks about, from words to ranks and classes.
import { parseAddress } from "../../bytes/address";
import { equalBytes } from "../../bytes/compare";
import { IPV4, IPV6, idOfRank, rankOfBytes } from "../model/addresses";
import { nameBytes, nameLength, nameOf } from "../model/names";
import { ABSENT } from "../model/pairs";
import { CtState } from "../model/rules";
import { Interface, interfaceCount, interfaceIsPrefix, interfaceMatches, interfaceName } from "./interfaces";
import { Dim, packet, resetBox, setValue } from "./packet";
import { protocolRank } from "./protocol-ranks";

/** `record packet` of witness.wit, as the canonical ABI lays it out. */
@unmanaged
export class Question {
  origin: u8;
  state: u8;
  /** Of an established connection: whether its destination was translated. */
  isTranslated: bool;
  protocol: u8;
  source: usize;
  sourceLength: usize;
  sourcePort: u16;
  destination: usize;
  destinationLength: usize;
  destinationPort: u16;
  inInterface: usize;
  inInterfaceLength: usize;
  outInterface: usize;
  outInterfaceLength: usize;
  sticksTo: usize;
  sticksToLength: usize;
  sticksToPort: u16;
}

const bytes: usize = memory.data(16, 16);

/** Family of an address, 2 if it is none; its rank goes to the dimension. */
function readAddress(dim: u32, text: usize, length: usize): u32 {
  const version = parseAddress(text, length, bytes);
  if (version == 0) return 2;
  const family = version == 4 ? IPV4 : IPV6;
  setValue(dim, rankOfBytes(family, bytes));
  return family;
}

/** The literal of an address, if some rule has it. */
function literalOf(text: usize, length: usize): u32 {
  const version = parseAddress(text, length, bytes);
  if (version == 0) return ABSENT;
  const family = version == 4 ? IPV4 : IPV6;
  const rank = rankOfBytes(family, bytes);
  return (rank & 1) == 1 ? idOfRank(family, rank) : ABSENT;
}

/** Class of an interface by name: its own, or the longest pattern's, or that of all others. */
function classOf(text: usize, length: usize): u32 {
  if (length == 0) return Interface.OTHER;
  const name = nameOf(text, length);
  let found: u32 = Interface.OTHER;
  for (let i: u32 = Interface.LOOPBACK; i < interfaceCount(); i++) {
    if (!interfaceIsPrefix(i)) {
      if (interfaceName(i) == name) return i;
      continue;
    }
    const isLonger = found == Interface.OTHER || interfaceMatches(i, interfaceName(found), true);
    if (isLonger && startsWith(name, i)) found = i;
  }
  return found;
}

function startsWith(name: u32, pattern: u32): bool {
  const prefix = interfaceName(pattern);
  if (nameLength(prefix) > nameLength(name)) return false;
  return equalBytes(nameBytes(prefix), nameLength(prefix), nameBytes(name), nameLength(prefix));
}

/** Makes the packet; false: its addresses are none, or of two families. */
export function ask(question: Question): bool {
  const family = readAddress(Dim.DADDR, question.destination, question.destinationLength);
  if (family == 2 || readAddress(Dim.SADDR, question.source, question.sourceLength) != family) return false;
  resetBox();
  packet.family = family;
  packet.origin = question.origin;
  packet.ctState = question.state == 0 ? CtState.NEW : question.state == 1 ? CtState.ESTABLISHED : CtState.INVALID;
  packet.ctStatus = <u32>question.isTranslated;
  packet.stuckAddress = literalOf(question.sticksTo, question.sticksToLength);
  packet.stuckPort = question.sticksToPort;
  setValue(Dim.PROTOCOL, protocolRank(question.protocol));
  setValue(Dim.DPORT, question.destinationPort);
  setValue(Dim.SPORT, question.sourcePort);
  setValue(Dim.IIF, classOf(question.inInterface, question.inInterfaceLength));
  setValue(Dim.OIF, classOf(question.outInterface, question.outInterfaceLength));
  return true;
}
