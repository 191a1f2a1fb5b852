// Walks a packet through a rule set: through the hooks, chains and rules, along every branch of chance.
import { rankOf } from "../model/addresses";
import { listSeconds } from "../model/affinity";
import { ABSENT } from "../model/pairs";
import { CtState, code, Op, ruleEnd, ruleLine, ruleStart } from "../model/rules";
import { setAt, Value } from "../model/sets";
import { Chain, chainAt } from "../model/tables";
import { gapFirst, gapLast, isKey, nextByKey, nextWild, ruleAt } from "./chain-index";
import { frameBelow, frameChain, framePosition, pushFrame, resetFrames } from "./frames";
import { foundEnd, foundFirst, lookUp, modulus, rowLine, rowOfSlot, rowPort, rowValue } from "./lookups";
import { asked, chance, ctStateBits, firstStatement, isByUnknownMark, matches, Outcome, tryRule } from "./matches";
import { Ending, Outcomes } from "./outcomes";
import { Dim, narrow, Origin, packet, valueOf } from "./packet";
import { baseChains, followingStage, goesToNode, hookOf, isPastNat, RULESETS, Stage } from "./stages";
import { dropState, restoreState, State, saveState, state } from "./state";
import { keepPath, noting, StepKind, step } from "./steps";
import { multiplyWeight } from "./weights";

/** So many chains may be entered on one path. */
const MOST_HOPS: u32 = 4096;

let ruleset: u32 = 0;
let outcomes: Outcomes = changetype<Outcomes>(0);

/** Walks the packet through a rule set; where its paths end goes to `into`, and how to `packet`'s box. */
export function walk(ofRuleset: u32, into: Outcomes): void {
  ruleset = min(ofRuleset, RULESETS - 1);
  outcomes = into;
  outcomes.clear();
  resetFrames();
  asked.clear();
  memory.fill(changetype<usize>(state), 0, offsetof<State>());
  state.numerator = 1;
  state.denominator = 1;
  state.literal = ABSENT;
  state.affinity = ABSENT;
  state.unknownCtMark = packet.ctState == CtState.NEW ? 0 : u32.MAX_VALUE;
  state.chain = ABSENT;
  state.stage = packet.origin == Origin.NETWORK ? Stage.PREROUTING : Stage.OUTPUT;
  step(StepKind.STAGE, 0, state.stage);
  run();
}

function end(kind: u32, how: u32 = 0): void {
  outcomes.add(kind, how);
  if (noting) keepPath();
}

/** Follows the path that the state stands for, and all that branch off it, to their ends. */
function run(): void {
  while (true) {
    if (state.chain == ABSENT) {
      if (!enterNextBase()) {
        end(state.isTranslated ? Ending.ENDPOINT : Ending.PASS);
        return;
      }
      continue;
    }
    const chain = chainAt(state.chain);
    const position = seek(chain);
    if (position >= chain.ruleCount) {
      if (!leaveChain()) return;
      continue;
    }
    state.position = position + 1;
    if (!carryOut(ruleAt(chain, position))) return;
  }
}

/** Position of the next rule that may match, or one behind the chain's end. */
function seek(chain: Chain): u32 {
  const position = state.position;
  if (!chain.isIndexed) return position;
  let found = nextWild(chain, position);
  if (chain.addressCount > 0) {
    const key = state.isAddressNew ? state.daddr : valueOf(Dim.DADDR);
    found = min(found, nextByKey(chain.addressKeys, chain.addressCount, key, position));
    if (!state.isAddressNew) narrowByKey(Dim.DADDR, key);
  }
  // Node ports: what is not for this node fails for that, whatever its port is.
  if (chain.portCount > 0 && !(chain.isForLocal && !goesToNode())) {
    const key = state.isPortNew ? state.dport : valueOf(Dim.DPORT);
    found = min(found, nextByKey(chain.portKeys, chain.portCount, key, position));
    if (!state.isPortNew) narrowByKey(Dim.DPORT, key);
  }
  return found;
}

/** After `nextByKey`: the box keeps the key, or what lies between its neighbours. */
function narrowByKey(dim: u32, key: u32): void {
  if (isKey) narrow(dim, key, key);
  else narrow(dim, gapFirst, gapLast);
}

/** Goes on to the next base chain that is for this packet; false: it is through. */
function enterNextBase(): bool {
  while (true) {
    const list = baseChains(ruleset, packet.family, hookOf(state.stage));
    while (state.nextBase < list.length) {
      const number = list.get(state.nextBase++);
      if (isPastNat(chainAt(number))) continue;
      state.chain = number;
      state.base = number;
      state.position = 0;
      state.frame = 0;
      return true;
    }
    state.stage = followingStage();
    state.nextBase = 0;
    if (state.stage == Stage.END) return false;
    step(StepKind.STAGE, 0, state.stage);
  }
}

/** The chain's end, or RETURN; false: the path ends. */
function leaveChain(): bool {
  if (state.frame != 0) {
    state.chain = frameChain(state.frame);
    state.position = framePosition(state.frame);
    state.frame = frameBelow(state.frame);
    return true;
  }
  const chain = chainAt(state.base);
  if (chain.policyDrop) {
    state.line = chain.line;
    step(StepKind.POLICY, state.base, 0);
    end(Ending.DROP);
    return false;
  }
  state.chain = ABSENT;
  return true;
}

/** Enters a chain; false: it is missing, or there is no end to it. */
function enter(number: u32, isJump: bool): bool {
  if (chainAt(number).line == 0 || ++state.hops > MOST_HOPS) {
    end(Ending.UNKNOWN);
    return false;
  }
  if (isJump) state.frame = pushFrame(state.chain, state.position, state.frame);
  state.chain = number;
  state.position = 0;
  return true;
}

/** Tries a rule and does what it says; false: the path ends. */
function carryOut(rule: u32): bool {
  const outcome = tryRule(ruleStart(rule), ruleEnd(rule));
  if (outcome == Outcome.NO) return true;
  const from = firstStatement;
  const line = ruleLine(rule);
  if (outcome == Outcome.UNKNOWN) {
    if (isWithoutEffect(firstStatement, ruleEnd(rule))) return true;
    state.line = line;
    step(StepKind.RULE, state.chain, rule);
    end(Ending.UNKNOWN);
    return false;
  }
  if (chance == ABSENT) {
    state.line = line;
    return perform(rule, from);
  }
  return byChance(rule, from, chance);
}

/** All that statements do is to jump to a chain that only returns, or logs: matched or not is the same. */
function isWithoutEffect(at: u32, end: u32): bool {
  if (at + 2 != end || code.get(at) != (Op.JUMP | (1 << 16))) return false;
  const chain = chainAt(code.get(at + 1));
  if (chain.line == 0) return false;
  for (let i: u32 = 0; i < chain.ruleCount; i++) {
    const rule = ruleAt(chain, i);
    for (let word = ruleStart(rule); word < ruleEnd(rule); word += (code.get(word) >> 16) + 1) {
      const op = code.get(word) & 0xff;
      if (op >= Op.SET_MARK && op != Op.RETURN) return false;
    }
  }
  return true;
}

/** Follows the branch in which the rule matches to its end, and goes on with the other. */
function byChance(rule: u32, from: u32, at: u32): bool {
  let numerator = <u64>code.get(at + 1) | ((<u64>code.get(at + 2)) << 32);
  const denominator = <u64>code.get(at + 3) | ((<u64>code.get(at + 4)) << 32);
  if (((code.get(at) >> 8) & 1) != 0) numerator = denominator - numerator;
  if (numerator != 0) {
    if (!saveState()) {
      end(Ending.UNKNOWN);
      return false;
    }
    multiplyWeight(numerator, denominator);
    state.line = ruleLine(rule);
    if (perform(rule, from)) run();
    restoreState();
    dropState();
  }
  if (numerator == denominator) return false;
  multiplyWeight(denominator - numerator, denominator);
  step(StepKind.NOT_CHOSEN, state.chain, rule);
  return true;
}

/** Carries out the statements from `at` on; false: the path ends. */
function perform(rule: u32, at: u32): bool {
  const stop = ruleEnd(rule);
  while (at < stop) {
    const word = code.get(at);
    const op = word & 0xff;
    switch (op) {
      case Op.SET_MARK:
        state.mark = (state.mark & ~code.get(at + 1)) ^ code.get(at + 2);
        state.unknownMark &= ~code.get(at + 1);
        break;
      case Op.SET_CT_MARK:
        state.ctMark = (state.ctMark & ~code.get(at + 1)) ^ code.get(at + 2);
        state.unknownCtMark &= ~code.get(at + 1);
        break;
      case Op.SAVE_MARK:
        state.ctMark = (state.ctMark & ~code.get(at + 2)) ^ (state.mark & code.get(at + 1));
        state.unknownCtMark = (state.unknownCtMark & ~code.get(at + 2)) | (state.unknownMark & code.get(at + 1));
        break;
      case Op.RESTORE_MARK:
        state.mark = (state.mark & ~code.get(at + 1)) ^ (state.ctMark & code.get(at + 2));
        state.unknownMark = (state.unknownMark & ~code.get(at + 1)) | (state.unknownCtMark & code.get(at + 2));
        break;
      case Op.STICK:
        state.affinity = code.get(at + 2) != 0 ? code.get(at + 2) : listSeconds(code.get(at + 1));
        break;
      case Op.NOTRACK:
        state.isUntracked = true;
        break;
      case Op.CT_STATE_VMAP: {
        const states = ctStateBits();
        for (let i = at + 1; i <= at + (word >> 16); i += 3) {
          if ((states & code.get(i)) == 0) continue;
          step(StepKind.RULE, state.chain, rule);
          return verdict(code.get(i + 1), code.get(i + 2), at);
        }
        return true;
      }
      case Op.VMAP:
      case Op.DNAT_MAP: {
        const set = setAt(code.get(at + 1));
        if (set.isUnknown || isByUnknownMark(at)) {
          end(Ending.UNKNOWN);
          return false;
        }
        // Not found: the rule ends, and the next one is tried.
        if (!lookUp(set, at + 2, (word >> 16) - 1)) return true;
        if (modulus != 0) return bySlot(rule, code.get(at + 1));
        return take(rule, code.get(at + 1), foundFirst);
      }
      default:
        if (op < Op.SET_MARK) {
          const outcome = matches(at, true);
          if (outcome == Outcome.NO) return true;
          if (outcome != Outcome.YES) {
            end(Ending.UNKNOWN);
            return false;
          }
          break;
        }
        step(StepKind.RULE, state.chain, rule);
        return verdict(op, code.get(at + 1), at);
    }
    at += (word >> 16) + 1;
  }
  step(StepKind.RULE, state.chain, rule);
  return true;
}

/** A map keyed by numgen's number: each slot is a branch, and slots that are empty go on together. */
function bySlot(rule: u32, number: u32): bool {
  const set = setAt(number);
  const slots = modulus;
  // Branches look up anew.
  const first = foundFirst;
  const last = foundEnd;
  let missing: u64 = 0;
  for (let slot: u32 = 0; slot < slots; slot++) {
    const row = rowOfSlot(set, slot, first, last);
    if (row == ABSENT) {
      missing++;
      continue;
    }
    if (!saveState()) {
      end(Ending.UNKNOWN);
      return false;
    }
    multiplyWeight(1, <u64>slots);
    if (take(rule, number, row)) run();
    restoreState();
    dropState();
  }
  if (missing == 0) return false;
  multiplyWeight(missing, <u64>slots);
  return true;
}

/** Does what an element says. */
function take(rule: u32, number: u32, row: u32): bool {
  const set = setAt(number);
  step(StepKind.RULE, state.chain, rule, number, row);
  const value = rowValue(set, row);
  if (set.value == Value.VERDICT) return value == 0 ? true : verdict(value, rowPort(set, row), 0);
  return translate(set.valueFamily, value, rowPort(set, row), rowLine(set, row));
}

/** DNAT; the chain is done with that. */
function translate(family: u32, literal: u32, port: u32, line: u32): bool {
  if (family != packet.family) {
    end(Ending.UNKNOWN);
    return false;
  }
  if (literal != ABSENT) {
    state.literal = literal;
    state.daddr = rankOf(family, literal);
    state.isAddressNew = true;
  }
  if (port != 0) {
    state.dport = port;
    state.isPortNew = true;
  }
  state.isTranslated = true;
  state.endpointLine = line;
  state.chain = ABSENT;
  return true;
}

/** Carries out a verdict; `first` is its chain or reason, `at` its statement. False: the path ends. */
function verdict(op: u32, first: u32, at: u32): bool {
  switch (op) {
    case Op.ACCEPT:
      state.chain = ABSENT;
      return true;
    case Op.RETURN:
      return leaveChain();
    case Op.JUMP:
    case Op.GOTO:
      return enter(first, op == Op.JUMP);
    case Op.DROP:
      end(Ending.DROP);
      return false;
    case Op.REJECT:
      end(Ending.REJECT, first);
      return false;
    case Op.DNAT:
      return translate(code.get(at + 1), code.get(at + 2), code.get(at + 3), state.line);
    case Op.MASQUERADE:
      state.isMasqueraded = true;
      state.chain = ABSENT;
      return true;
    case Op.SNAT:
      state.snat = code.get(at + 2) + 1;
      state.chain = ABSENT;
      return true;
  }
  // What the node sends is redirected to its loopback address (nf_nat_redirect.c).
  if (op == Op.REDIRECT && state.stage == Stage.OUTPUT) {
    return translate(packet.family, code.get(at + 2 + packet.family), first, state.line);
  }
  // Else REDIRECT is to an address that only the interface knows; and targets that are not understood.
  end(Ending.UNKNOWN);
  return false;
}
