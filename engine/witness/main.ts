// The exports of the component, and nothing else: each lifts its arguments, calls, and lowers the result. What they mean is
// said in witness.wit.
import { finish, RESULT, setString } from "../abi/lists";
import { moreProblems, problemCount, problemTable } from "../abi/problems";
import { countRuleset, counts } from "./model/counts";
import { resetUnknowns, unknowns } from "./parsing/problems";
import { family, parseText } from "./parsing/text";

export { cabi_realloc } from "../abi/lists";

export function witness__load(ruleset: u32, text: usize, length: usize, assumed: u32): usize {
  resetUnknowns();
  const format = parseText(ruleset, text, length, assumed);
  countRuleset(ruleset);
  store<u8>(RESULT, <u8>format, 0);
  store<u8>(RESULT, <u8>family, 1);
  store<u32>(RESULT, counts.tables, 4);
  store<u32>(RESULT, counts.chains, 8);
  store<u32>(RESULT, counts.rules, 12);
  store<u32>(RESULT, counts.sets, 16);
  store<u32>(RESULT, counts.elements, 20);
  store<u32>(RESULT, unknowns, 24);
  setString(RESULT + 28, problemTable(), <usize>problemCount());
  store<u32>(RESULT, moreProblems(), 36);
  return RESULT;
}
export function cabi_post_witness__load(result: usize): void {
  finish();
}
