// Lists of conntrack's states and statuses.
import { equalLiteral } from "../../bytes/compare";
import { CtState, CtStatus } from "../model/rules";
import { indexOf } from "./numbers";

function stateOf(bytes: usize, length: usize): u32 {
  if (equalLiteral(bytes, length, "NEW") || equalLiteral(bytes, length, "new")) return CtState.NEW;
  if (equalLiteral(bytes, length, "ESTABLISHED") || equalLiteral(bytes, length, "established"))
    return CtState.ESTABLISHED;
  if (equalLiteral(bytes, length, "RELATED") || equalLiteral(bytes, length, "related")) return CtState.RELATED;
  if (equalLiteral(bytes, length, "INVALID") || equalLiteral(bytes, length, "invalid")) return CtState.INVALID;
  if (equalLiteral(bytes, length, "UNTRACKED") || equalLiteral(bytes, length, "untracked")) return CtState.UNTRACKED;
  if (equalLiteral(bytes, length, "DNAT")) return CtState.DNAT;
  if (equalLiteral(bytes, length, "SNAT")) return CtState.SNAT;
  return 0;
}

/** `NEW,ESTABLISHED` as bits of CtState; 0 if a word is none. */
export function readCtStates(bytes: usize, length: usize): u32 {
  let states: u32 = 0;
  while (true) {
    const comma = indexOf(bytes, length, 0x2c);
    const state = stateOf(bytes, comma);
    if (state == 0) return 0;
    states |= state;
    if (comma == length) return states;
    bytes += comma + 1;
    length -= comma + 1;
  }
}

/** One status as bits of CtStatus. */
export function ctStatusOf(bytes: usize, length: usize): u32 {
  if (equalLiteral(bytes, length, "dnat")) return CtStatus.DNAT;
  if (equalLiteral(bytes, length, "snat")) return CtStatus.SNAT;
  return CtStatus.OTHER;
}
