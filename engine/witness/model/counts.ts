// How much a rule set holds.
import { setAt, setCount } from "./sets";
import { chainAt, chainCount, tableAt, tableCount } from "./tables";

@unmanaged
class Counts {
  tables: u32 = 0;
  chains: u32 = 0;
  rules: u32 = 0;
  sets: u32 = 0;
  elements: u32 = 0;
}

export const counts = new Counts();

/** Counts what packets can see of a rule set; anonymous sets are parts of their rules. */
export function countRuleset(ruleset: u32): void {
  counts.tables = 0;
  counts.chains = 0;
  counts.rules = 0;
  counts.sets = 0;
  counts.elements = 0;
  for (let i: u32 = 0; i < tableCount(); i++) if (isIn(i, ruleset)) counts.tables++;
  for (let i: u32 = 0; i < chainCount(); i++) {
    const chain = chainAt(i);
    if (chain.line == 0 || !isIn(chain.table, ruleset)) continue;
    counts.chains++;
    counts.rules += chain.ruleCount;
  }
  for (let i: u32 = 0; i < setCount(); i++) {
    const set = setAt(i);
    if (set.name == 0 || set.line == 0 || !isIn(set.table, ruleset)) continue;
    counts.sets++;
    counts.elements += set.rowCount;
  }
}

function isIn(table: u32, ruleset: u32): bool {
  return tableAt(table).ruleset == ruleset && !tableAt(table).isOff;
}
