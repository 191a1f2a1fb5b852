// Which objects and fields made the rules that a packet meets. What the engine writes for the objects is walked as well: a rule of the
// node that does the same in the same chain comes from where that one comes from.
import { RuleLines } from "../../shared/rule-lines.ts";
import type { Packet, Witness } from "../../shared/witness.ts";
import type { Step } from "../../shared/witness-answers.ts";
import type { AskedRules } from "./node-rules.ts";

type RuleStep = Extract<Step, { chain: string }>;

/** The rule set of the witness that holds what the objects ask, if the other one is a node's. */
const ASKED = 1;

/** Owners as text by step; `isAsked`: the steps are of what the engine writes. Walks the packet once more if they are not. */
export function explained(
  witness: Witness,
  packet: Packet,
  asked: AskedRules,
  isAsked: boolean,
): (step: RuleStep) => readonly string[] {
  const lines = new RuleLines(asked.texts);
  if (!isAsked) {
    for (const [index, { bytes }] of asked.texts.entries()) {
      witness.load(ASKED, bytes, index === 0 ? "ipv4" : "ipv6", lines.firstLine(index));
    }
  }
  const known = new Map<number, ReadonlyMap<number, readonly string[]>>();
  const ownersAt = (number: number | undefined): readonly string[] => {
    const found = number === undefined ? undefined : lines.at(number);
    if (found === undefined) return [];
    const text = asked.texts.findIndex(({ name }) => name === found.file);
    let owners = known.get(text);
    if (owners === undefined) {
      owners = asked.owners(text);
      known.set(text, owners);
    }
    return owners.get(found.line) ?? [];
  };
  const ownersOf = ({ line, element }: RuleStep) => [...new Set([...ownersAt(element), ...ownersAt(line)])];
  if (isAsked) return ownersOf;
  const steps = new Map<string, RuleStep>();
  for (const path of witness.trace(ASKED, packet)?.paths ?? []) {
    for (const step of path.steps) if (!("hook" in step)) steps.set(keyOf(step), step);
  }
  return (step) => {
    const same = steps.get(keyOf(step));
    return same === undefined ? [] : ownersOf(same);
  };
}

function keyOf({ table, chain, because, does }: RuleStep): string {
  return [table, chain, ...because, does].join("\n");
}
