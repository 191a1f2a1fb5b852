// The answer to a trace as JSON: every path with its probability, where it ends, and its steps. hosts/shared/witness-answers.ts has
// its type.
import { jsonBoolean, jsonKey, jsonString } from "../../bytes/json";
import { byte, decimal, lit, outAdvance, outReserve } from "../../bytes/out";
import { addressAt, formatAddress } from "../model/addresses";
import { nameBytes, nameLength } from "../model/names";
import { ABSENT } from "../model/pairs";
import { ruleLine } from "../model/rules";
import { ElementSet, setAt, Value } from "../model/sets";
import { chainAt, tableAt } from "../model/tables";
import { rowLine, rowPort, rowValue } from "./lookups";
import { Ending, Outcomes } from "./outcomes";
import { packet } from "./packet";
import { Stage } from "./stages";
import { pathEnds, paths, STEP, StepKind } from "./steps";
import { endpointText, matchesText, rejectText, statementsText, verdictText } from "./wording";

export function number64(value: u64): void {
  if (value >= 1_000_000_000) {
    number64(value / 1_000_000_000);
    const rest = <u32>(value % 1_000_000_000);
    for (let scale: u32 = 100_000_000; scale > 0; scale /= 10) byte(<u8>(0x30 + ((rest / scale) % 10)));
  } else {
    decimal(<u32>value);
  }
}

function name(id: u32): void {
  jsonString(nameBytes(id), nameLength(id));
}

function address(family: u32, literal: u32): void {
  byte(0x22);
  outAdvance(formatAddress(family, outReserve(64), addressAt(family, literal)));
  byte(0x22);
}

/** One ending: `"ending":"endpoint","address":…,"port":…,"masquerade":…,"affinity":…` and the like. */
export function writeEnding(outcomes: Outcomes, index: u32): void {
  const kind = outcomes.kind(index);
  lit('"ending":"');
  if (kind == Ending.PASS) lit("pass");
  else if (kind == Ending.ENDPOINT) lit("endpoint");
  else if (kind == Ending.DROP) lit("drop");
  else if (kind == Ending.REJECT) lit("reject");
  else lit("unknown");
  byte(0x22);
  if (kind == Ending.REJECT) {
    lit(',"with":"');
    rejectText(outcomes.how(index));
    byte(0x22);
  }
  if (kind == Ending.ENDPOINT) {
    if (outcomes.literal(index) != ABSENT) {
      lit(',"address":');
      address(packet.family, outcomes.literal(index));
    }
    if (outcomes.port(index) != 0) {
      lit(',"port":');
      decimal(outcomes.port(index));
    }
  }
  if (kind <= Ending.ENDPOINT) {
    lit(',"masquerade":');
    jsonBoolean(outcomes.isMasqueraded(index));
    if (outcomes.snat(index) != 0) {
      lit(',"snat":');
      address(packet.family, outcomes.snat(index) - 1);
    }
    if (outcomes.affinity(index) != ABSENT) {
      lit(',"affinitySeconds":');
      decimal(outcomes.affinity(index));
    }
  }
  lit(',"line":');
  decimal(outcomes.line(index));
  lit(',"probability":[');
  number64(outcomes.numerator(index));
  byte(0x2c);
  number64(outcomes.denominator(index));
  byte(0x5d);
}

/** All endings of one rule set, as an array. */
export function writeEndings(outcomes: Outcomes): void {
  byte(0x5b);
  for (let i: u32 = 0; i < outcomes.count; i++) {
    if (i > 0) byte(0x2c);
    byte(0x7b);
    writeEnding(outcomes, i);
    byte(0x7d);
  }
  byte(0x5d);
}

function writeStage(stage: u32): void {
  lit('{"hook":"');
  if (stage == Stage.PREROUTING || stage == Stage.LOOPED_PREROUTING) lit("prerouting");
  else if (stage == Stage.INPUT || stage == Stage.LOOPED_INPUT) lit("input");
  else if (stage == Stage.FORWARD) lit("forward");
  else lit(stage == Stage.OUTPUT ? "output" : "postrouting");
  lit('"}');
}

/** What an element says. */
function elementText(set: ElementSet, row: u32): void {
  if (set.value == Value.VERDICT) {
    verdictText(rowValue(set, row), rowPort(set, row));
    return;
  }
  lit("DNAT to ");
  endpointText(set.valueFamily, rowValue(set, row), rowPort(set, row));
}

function writeStep(at: u32): void {
  const kind = paths.get(at);
  if (kind == StepKind.STAGE) {
    writeStage(paths.get(at + 2));
    return;
  }
  const chain = chainAt(paths.get(at + 1));
  byte(0x7b);
  jsonKey("table");
  name(tableAt(chain.table).name);
  byte(0x2c);
  jsonKey("chain");
  name(chain.name);
  byte(0x2c);
  if (kind == StepKind.POLICY) {
    jsonKey("line");
    decimal(chain.line);
    lit(',"because":["no rule decides: the chain\'s policy"],"does":"drop"}');
    return;
  }
  const rule = paths.get(at + 2);
  jsonKey("line");
  decimal(ruleLine(rule));
  const set = paths.get(at + 3);
  if (set != ABSENT) {
    lit(',"element":');
    decimal(rowLine(setAt(set), paths.get(at + 4)));
  }
  lit(',"because":[');
  matchesText(rule);
  lit('],"does":"');
  if (kind == StepKind.NOT_CHOSEN) lit("nothing: another one is chosen");
  else if (set != ABSENT) elementText(setAt(set), paths.get(at + 4));
  else statementsText(rule);
  lit('"}');
}

/** `{"paths":[…]}` */
export function writeAnswer(outcomes: Outcomes): void {
  lit('{"paths":[');
  let start: u32 = 0;
  for (let i: u32 = 0; i < outcomes.count; i++) {
    if (i > 0) byte(0x2c);
    byte(0x7b);
    writeEnding(outcomes, i);
    lit(',"steps":[');
    const end = pathEnds.get(i);
    for (let at = start; at < end; at += STEP) {
      if (at > start) byte(0x2c);
      writeStep(at);
    }
    start = end;
    lit("]}");
  }
  lit("]}");
}
