// Which rules, chains, sets and elements of B are missing in A, are there as well, or are others: where to look when packets end
// differently. By what they say, not by how it is written.
import { mix } from "../../bytes/compare";
import { jsonKey, jsonString } from "../../bytes/json";
import { Vector } from "../../bytes/memory";
import { byte, decimal, lit } from "../../bytes/out";
import { nameBytes, nameLength } from "../model/names";
import { ABSENT, PairMap } from "../model/pairs";
import { nextRule, ruleLine } from "../model/rules";
import { ElementSet, findSet, rowAt, setAt, setCount } from "../model/sets";
import {
  Chain,
  chainAt,
  chainCount,
  findChain,
  findTable,
  isListedTwice,
  Table,
  TableFamily,
  tableAt,
  tableCount,
} from "../model/tables";
import { number64 } from "../tracing/answer";
import { declarationDigest, keyDigest, ruleDigest, setDigest, valueDigest } from "./rule-digests";

/** So many are told; the others are only counted. */
const MOST: u32 = 1000;

let rulesetA: u32 = 0;
let rulesetB: u32 = 0;
let told: u32 = 0;
let more: u64 = 0;
/** How many rules of a chain say the same, B's less A's, by digest; and elements of B by set and key. */
const counts = new PairMap();
const lines = new Vector();

function name(id: u32): void {
  jsonString(nameBytes(id), nameLength(id));
}

/** An entry is to be written; false: there are too many. */
function tells(): bool {
  if (told == MOST) {
    more++;
    return false;
  }
  if (told++ > 0) byte(0x2c);
  return true;
}

function isSeen(table: Table, ruleset: u32): bool {
  return table.ruleset == ruleset && !table.isOff && !isListedTwice(table);
}

/** The same table of the other rule set, in whichever syntax it was listed; ABSENT: it has none. */
function counterpart(table: Table, ruleset: u32): u32 {
  for (let other = 0; other < 2; other++) {
    const found = findTable(ruleset, table.family, table.name, table.isIptables == (other == 0));
    if (found != ABSENT && !tableAt(found).isOff) return found;
  }
  return ABSENT;
}

function writeTable(table: Table): void {
  lit('"family":"');
  lit(
    table.family == TableFamily.IP
      ? "ip"
      : table.family == TableFamily.IP6
        ? "ip6"
        : table.family == TableFamily.INET
          ? "inet"
          : "other",
  );
  lit('","table":');
  name(table.name);
}

function writeLines(key: string, from: u32, to: u32): void {
  byte(0x2c);
  jsonKey(key);
  byte(0x5b);
  for (let i = from; i < to; i++) {
    if (i > from) byte(0x2c);
    decimal(lines.get(i));
  }
  byte(0x5d);
}

function begin(what: string, table: Table): void {
  lit('{"what":"');
  lit(what);
  lit('",');
  writeTable(table);
}

/** `a` and `b`: a line of each rule set, 0: none. */
function end(a: u32, b: u32): void {
  lines.clear();
  if (a != 0) lines.push(a);
  const middle = lines.length;
  if (b != 0) lines.push(b);
  writeLines("a", 0, middle);
  writeLines("b", middle, lines.length);
  byte(0x7d);
}

function tellTable(what: string, table: Table, a: u32, b: u32): void {
  if (!tells()) return;
  begin(what, table);
  end(a, b);
}

function tellChain(what: string, chain: Chain, a: u32, b: u32): void {
  if (!tells()) return;
  begin(what, tableAt(chain.table));
  lit(',"chain":');
  name(chain.name);
  end(a, b);
}

function tellSet(what: string, set: ElementSet, a: u32, b: u32): void {
  if (!tells()) return;
  begin(what, tableAt(set.table));
  lit(',"set":');
  name(set.name);
  end(a, b);
}

function countRules(chain: u32, table: u32, by: u32): void {
  for (let rule = chainAt(chain).firstRule; rule != ABSENT; rule = nextRule(rule)) {
    const digest = mix(ruleDigest(rule, table), chainAt(chain).name);
    const known = counts.get(<u32>digest, <u32>(digest >> 32));
    counts.set(<u32>digest, <u32>(digest >> 32), (known == ABSENT ? 0 : known) + by);
  }
}

/** Lines of the chain's rules of which the other rule set has too few; each is counted off. */
function pushMissing(chain: u32, table: u32, sign: u32): void {
  for (let rule = chainAt(chain).firstRule; rule != ABSENT; rule = nextRule(rule)) {
    const digest = mix(ruleDigest(rule, table), chainAt(chain).name);
    const count = counts.get(<u32>digest, <u32>(digest >> 32)) * sign;
    if (<i32>count <= 0) continue;
    lines.push(ruleLine(rule));
    counts.set(<u32>digest, <u32>(digest >> 32), (count - 1) * sign);
  }
}

function inSameOrder(a: u32, tableA: u32, b: u32, tableB: u32): bool {
  let ruleA = chainAt(a).firstRule;
  let ruleB = chainAt(b).firstRule;
  while (ruleA != ABSENT && ruleB != ABSENT) {
    if (ruleDigest(ruleA, tableA) != ruleDigest(ruleB, tableB)) return false;
    ruleA = nextRule(ruleA);
    ruleB = nextRule(ruleB);
  }
  return ruleA == ruleB;
}

/** A chain that both have. */
function compareChains(a: u32, b: u32): void {
  const chainA = chainAt(a);
  const chainB = chainAt(b);
  if (inSameOrder(a, chainA.table, b, chainB.table)) return;
  counts.clear();
  countRules(b, chainB.table, 1);
  countRules(a, chainA.table, u32.MAX_VALUE);
  lines.clear();
  pushMissing(a, chainA.table, u32.MAX_VALUE);
  const middle = lines.length;
  pushMissing(b, chainB.table, 1);
  if (!tells()) return;
  begin(lines.length == 0 ? "order" : "rules", tableAt(chainA.table));
  lit(',"chain":');
  name(chainA.name);
  writeLines("a", 0, middle);
  writeLines("b", middle, lines.length);
  byte(0x7d);
}

/** Of all elements, in whatever order. */
function elementsDigest(set: ElementSet): u64 {
  let sum: u64 = set.rowCount;
  for (let row: u32 = 0; row < set.rowCount; row++) sum += mix(keyDigest(set, row), valueDigest(set, row));
  return sum;
}

function compareSets(a: ElementSet, b: ElementSet): void {
  if (setDigest(a) != setDigest(b)) {
    tellSet("set-otherwise", a, a.line, b.line);
    return;
  }
  // What a dynamic set holds, packets have put there.
  if (a.isDynamic || elementsDigest(a) == elementsDigest(b)) return;
  counts.clear();
  for (let row: u32 = 0; row < b.rowCount; row++) {
    const digest = keyDigest(b, row);
    counts.set(<u32>digest, <u32>(digest >> 32), row);
  }
  const words = (<usize>b.columns * 2 + 2) << 2;
  for (let row: u32 = 0; row < a.rowCount; row++) {
    const digest = keyDigest(a, row);
    const other = counts.get(<u32>digest, <u32>(digest >> 32));
    const line = load<u32>(rowAt(a, row) + words);
    if (other == ABSENT || other == FOUND) {
      tellSet("element-extra", a, line, 0);
      continue;
    }
    counts.set(<u32>digest, <u32>(digest >> 32), FOUND);
    if (valueDigest(a, row) != valueDigest(b, other))
      tellSet("element-otherwise", a, line, load<u32>(rowAt(b, other) + words));
  }
  for (let row: u32 = 0; row < b.rowCount; row++) {
    const digest = keyDigest(b, row);
    if (counts.get(<u32>digest, <u32>(digest >> 32)) == FOUND) continue;
    tellSet("element-missing", b, 0, load<u32>(rowAt(b, row) + words));
  }
}

/** In place of a row of B that A has as well. */
const FOUND: u32 = ABSENT - 1;

/** What both rule sets have in common and what not, as JSON: `RuleDifferences` of hosts/shared/witness-answers.ts. */
export function writeRuleDifferences(a: u32, b: u32): void {
  rulesetA = a;
  rulesetB = b;
  told = 0;
  more = 0;
  lit('{"differences":[');
  for (let i: u32 = 0; i < tableCount(); i++) if (isSeen(tableAt(i), b)) compareTable(tableAt(i));
  for (let i: u32 = 0; i < chainCount(); i++) if (isSeen(tableAt(chainAt(i).table), b)) compareChain(i);
  for (let i: u32 = 0; i < chainCount(); i++) if (isSeen(tableAt(chainAt(i).table), a)) noteExtraChain(chainAt(i));
  for (let i: u32 = 0; i < setCount(); i++) {
    const set = setAt(i);
    if (set.name == 0 || set.line == 0) continue;
    if (isSeen(tableAt(set.table), b)) compareSet(set);
    else if (isSeen(tableAt(set.table), a)) noteExtraSet(set);
  }
  lit('],"more":');
  number64(more);
  lit(',"foreign":[');
  told = 0;
  for (let i: u32 = 0; i < tableCount(); i++) {
    const table = tableAt(i);
    if (isSeen(table, a) && counterpart(table, b) == ABSENT && tells()) writeForeign(i);
  }
  lit("]}");
}

function compareTable(table: Table): void {
  if (counterpart(table, rulesetA) != ABSENT) return;
  // What is there, and switched off.
  const same = findOff(table);
  if (same != 0) tellTable("table-off", table, same, 0);
  else tellTable("table-missing", table, 0, 0);
}

/** Line of the first chain of A's table of that name that no packet sees; 0: there is none. */
function findOff(table: Table): u32 {
  for (let i: u32 = 0; i < chainCount(); i++) {
    const other = tableAt(chainAt(i).table);
    const isSame = other.ruleset == rulesetA && other.family == table.family && other.name == table.name;
    if (isSame && other.isOff && chainAt(i).line != 0) return chainAt(i).line;
  }
  return 0;
}

function compareChain(number: u32): void {
  const chain = chainAt(number);
  if (chain.line == 0) return;
  const table = counterpart(tableAt(chain.table), rulesetA);
  if (table == ABSENT) return;
  const other = findChain(table, chain.name);
  if (other == ABSENT || chainAt(other).line == 0) {
    tellChain("chain-missing", chain, 0, chain.line);
    return;
  }
  if (declarationDigest(chainAt(other)) != declarationDigest(chain)) {
    tellChain("chain-otherwise", chain, chainAt(other).line, chain.line);
  }
  compareChains(other, number);
}

function noteExtraChain(chain: Chain): void {
  if (chain.line == 0) return;
  const table = counterpart(tableAt(chain.table), rulesetB);
  if (table == ABSENT) return;
  const other = findChain(table, chain.name);
  if (other == ABSENT || chainAt(other).line == 0) tellChain("chain-extra", chain, chain.line, 0);
}

function compareSet(set: ElementSet): void {
  const table = counterpart(tableAt(set.table), rulesetA);
  if (table == ABSENT) return;
  const other = findSet(table, set.name);
  if (other == ABSENT || setAt(other).line == 0) tellSet("set-missing", set, 0, set.line);
  else compareSets(setAt(other), set);
}

function noteExtraSet(set: ElementSet): void {
  const table = counterpart(tableAt(set.table), rulesetB);
  if (table == ABSENT) return;
  const other = findSet(table, set.name);
  if (other == ABSENT || setAt(other).line == 0) tellSet("set-extra", set, set.line, 0);
}

/** A table that B does not have: whose it is, and between which lines it stands. */
function writeForeign(number: u32): void {
  let first: u32 = u32.MAX_VALUE;
  let last: u32 = 0;
  for (let i: u32 = 0; i < chainCount(); i++) {
    const chain = chainAt(i);
    if (chain.table != number || chain.line == 0) continue;
    first = min(first, chain.line);
    last = max(last, chain.line);
    for (let rule = chain.firstRule; rule != ABSENT; rule = nextRule(rule)) {
      first = min(first, ruleLine(rule));
      last = max(last, ruleLine(rule));
    }
  }
  byte(0x7b);
  writeTable(tableAt(number));
  lines.clear();
  if (last != 0) {
    lines.push(first);
    lines.push(last);
  }
  writeLines("lines", 0, lines.length);
  byte(0x7d);
}
