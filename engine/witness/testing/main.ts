// The printer's component: the witness' parser, and what it has read as text. See witness-printer.wit.
import { finish, outResult } from "../../abi/lists";
import { problemCount } from "../../abi/problems";
import { outFlush, StreamName } from "../../bytes/out";
import { resetUnknowns, unknowns } from "../parsing/problems";
import { parseText } from "../parsing/text";
import { printRuleset } from "./print-tables";

export { cabi_realloc } from "../../abi/lists";

export function printer__load(ruleset: u32, text: usize, length: usize, isIPv6: u32): u32 {
  resetUnknowns();
  parseText(ruleset, text, length, isIPv6, 1);
  const all = unknowns + (problemCount() > unknowns ? 1_000_000 * (problemCount() - unknowns) : 0);
  finish();
  return all;
}

export function printer__print(ruleset: u32, part: u32): usize {
  printRuleset(ruleset, part);
  outFlush(StreamName.MAIN);
  return outResult();
}
export function cabi_post_printer__print(result: usize): void {
  finish();
}
