// The exports of the component, and nothing else: each lifts its arguments, calls, and lowers the result. What they mean is
// said in witness.wit.
import { finish, outResult, RESULT, setString } from "../abi/lists";
import { moreProblems, problemCount, problemTable } from "../abi/problems";
import { outFlush, StreamName } from "../bytes/out";
import { writeRuleDifferences } from "./comparing/rule-differences";
import { askForEndpoint, survey } from "./comparing/survey";
import { compareRulesets } from "./comparing/sweep";
import { countRuleset, counts } from "./model/counts";
import { readFacts } from "./parsing/facts";
import { resetUnknowns, unknowns } from "./parsing/problems";
import { family, parseText } from "./parsing/text";
import { writeAnswer } from "./tracing/answer";
import { Outcomes } from "./tracing/outcomes";
import { loaded, prepare } from "./tracing/prepare";
import { ask, Question } from "./tracing/question";
import { noteSteps } from "./tracing/steps";
import { walk } from "./tracing/walk";

export { cabi_realloc } from "../abi/lists";

export function witness__load(ruleset: u32, text: usize, length: usize, assumed: u32, firstLine: u32): usize {
  resetUnknowns();
  const format = parseText(ruleset, text, length, assumed, firstLine);
  loaded();
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

// Until a host says more: the loopback addresses are the node's own.
readFacts(0, 0, 0, 0);
finish();

export function witness__set_facts(local: usize, localLength: usize, absent: usize, absentLength: usize): u32 {
  const bad = readFacts(local, localLength, absent, absentLength);
  finish();
  return bad;
}

const endings = new Outcomes();

/** `parameters`: the rule set's number, then the packet. */
export function witness__trace(parameters: usize): usize {
  prepare();
  if (ask(changetype<Question>(parameters + 4))) {
    noteSteps(true);
    walk(load<u32>(parameters), endings);
    writeAnswer(endings);
    noteSteps(false);
    outFlush(StreamName.MAIN);
  }
  return outResult();
}
export function cabi_post_witness__trace(result: usize): void {
  finish();
}

export function witness__compare(a: u32, b: u32, limit: u64, flows: u32, check: u32): usize {
  prepare();
  compareRulesets(a, b, limit, flows != 0, check != 0);
  outFlush(StreamName.MAIN);
  return outResult();
}
export function cabi_post_witness__compare(result: usize): void {
  finish();
}

export function witness__survey(
  ruleset: u32,
  destination: usize,
  destinationLength: usize,
  protocol: u32,
  port: u32,
  about: u32,
  endpoint: usize,
  endpointLength: usize,
  endpointPort: u32,
  limit: u64,
): usize {
  prepare();
  askForEndpoint(endpoint, endpointLength, endpointPort);
  survey(ruleset, about, destination, destinationLength, protocol, port, limit);
  outFlush(StreamName.MAIN);
  return outResult();
}
export function cabi_post_witness__survey(result: usize): void {
  finish();
}

export function witness__rule_differences(a: u32, b: u32): usize {
  writeRuleDifferences(a, b);
  outFlush(StreamName.MAIN);
  return outResult();
}
export function cabi_post_witness__rule_differences(result: usize): void {
  finish();
}
