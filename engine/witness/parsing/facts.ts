// Lists of addresses that hosts give as facts about the node.

import { literalBytes } from "../../abi/problems";
import { addAbsent, addLocal, clearFacts } from "../tracing/facts";
import * as literals from "./literals";
import * as words from "./words";

/** Reads both lists; returns how many words are no addresses. */
export function readFacts(local: usize, localLength: usize, absent: usize, absentLength: usize): u32 {
  clearFacts();
  const loopback = "127.0.0.0/8 ::1";
  let bad = readList(literalBytes(loopback), <usize>loopback.length, true);
  bad += readList(local, localLength, true);
  bad += readList(absent, absentLength, false);
  return bad;
}

function readList(bytes: usize, length: usize, isLocal: bool): u32 {
  let bad: u32 = 0;
  words.openText(bytes, length, true);
  while (true) {
    words.next();
    if (words.kind == words.Kind.END) return bad;
    if (words.kind == words.Kind.NEWLINE) continue;
    if (!literals.parseLiterals(words.bytes, words.length)) bad++;
    else if (isLocal) addLocal(literals.family, literals.first, literals.last);
    else addAbsent(literals.family, literals.first, literals.last);
  }
}
