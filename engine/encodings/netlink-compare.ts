// Comparing what we want with what the kernel has. The kernel adds attributes of its own (handles, defaults), so ours
// must all be there with the same values, and what else there is does not matter.
import { equalBytes } from "../bytes/compare";
import {
  findAttribute,
  firstAttribute,
  isNest,
  nextAttribute,
  numberOf,
  typeOf,
  valueEnd,
  valueLength,
  valueOf,
} from "./netlink-attributes";
import { Attribute, POLICY_ACCEPT, SetBit } from "./netlink-numbers";
import { isText, Named, Objects, Part } from "./netlink-objects";

/** All attributes of [wanted, wantedEnd) are in [held, heldEnd), nests compared likewise. */
function covers(held: usize, heldEnd: usize, wanted: usize, wantedEnd: usize): bool {
  for (let at = firstAttribute(wanted, wantedEnd); at != 0; at = nextAttribute(at, wantedEnd)) {
    const other = findAttribute(held, heldEnd, typeOf(at));
    if (other == 0) return false;
    if (isNest(at)) {
      if (!covers(valueOf(other), valueEnd(other), valueOf(at), valueEnd(at))) return false;
    } else if (!equalBytes(valueOf(other), valueLength(other), valueOf(at), valueLength(at))) {
      return false;
    }
  }
  return true;
}

/** The attribute of that type is absent in both or has the same value. */
function same(type: u32, held: usize, heldEnd: usize, wanted: usize, wantedEnd: usize): bool {
  const left = findAttribute(held, heldEnd, type);
  const right = findAttribute(wanted, wantedEnd, type);
  if (left == 0 || right == 0) return left == right;
  return equalBytes(valueOf(left), valueLength(left), valueOf(right), valueLength(right));
}

/** The kernel has an attribute of that type, and we want none. */
function gained(type: u32, held: usize, heldEnd: usize, wanted: usize, wantedEnd: usize): bool {
  return findAttribute(held, heldEnd, type) != 0 && findAttribute(wanted, wantedEnd, type) == 0;
}

/** Data and comment of an element are the same; [wanted, wantedEnd) are the attributes that it should have. */
export function sameElement(held: Part, wanted: usize, wantedEnd: usize): bool {
  // Statements that the set has got (counters, limits) go with each of its elements.
  if (gained(Attribute.ELEMENT_EXPRESSION, held.start, held.end, wanted, wantedEnd)) return false;
  if (gained(Attribute.ELEMENT_EXPRESSIONS, held.start, held.end, wanted, wantedEnd)) return false;
  const data = findAttribute(wanted, wantedEnd, Attribute.ELEMENT_DATA);
  if (data != 0) {
    const other = findAttribute(held.start, held.end, Attribute.ELEMENT_DATA);
    if (other == 0 || !covers(valueOf(other), valueEnd(other), valueOf(data), valueEnd(data))) return false;
  }
  return same(Attribute.ELEMENT_USERDATA, held.start, held.end, wanted, wantedEnd);
}

/** How many elements of sets have been compared so far, for those who compare in slices. */
export let comparedElements: u32 = 0;

/** Both sets have the same elements. */
export function sameElements(kernel: Objects, held: Named, wanted: Named): bool {
  if (held.count != wanted.count) return false;
  comparedElements += wanted.count;
  for (let at = wanted.first; at != 0; at = changetype<Part>(at).next) {
    const part = changetype<Part>(at);
    const other = kernel.findElement(held, part.start, part.end);
    if (other == 0 || !sameElement(changetype<Part>(other), part.start, part.end)) return false;
  }
  return true;
}

/** Same kind of translation, family and registers for address and port. */
function sameNat(held: usize, heldEnd: usize, wanted: usize, wantedEnd: usize): bool {
  return (
    same(Attribute.NAT_TYPE, held, heldEnd, wanted, wantedEnd) &&
    same(Attribute.NAT_FAMILY, held, heldEnd, wanted, wantedEnd) &&
    same(Attribute.NAT_ADDRESS, held, heldEnd, wanted, wantedEnd) &&
    same(Attribute.NAT_PORT, held, heldEnd, wanted, wantedEnd)
  );
}

/** One expression; sets without a name of their own are compared by their elements. */
function sameExpression(kernel: Objects, held: usize, ours: Objects, wanted: usize): bool {
  const name = findAttribute(valueOf(wanted), valueEnd(wanted), Attribute.EXPRESSION_NAME);
  const data = findAttribute(valueOf(wanted), valueEnd(wanted), Attribute.EXPRESSION_DATA);
  const heldName = findAttribute(valueOf(held), valueEnd(held), Attribute.EXPRESSION_NAME);
  const heldData = findAttribute(valueOf(held), valueEnd(held), Attribute.EXPRESSION_DATA);
  if (name == 0 || data == 0 || heldName == 0 || heldData == 0) return false;
  if (!equalBytes(valueOf(name), valueLength(name), valueOf(heldName), valueLength(heldName))) return false;
  const start = valueOf(data);
  const end = valueEnd(data);
  // Of nat's flags the kernel makes more than it was given; registers say all that they do.
  if (isText(name, "nat")) return sameNat(valueOf(heldData), valueEnd(heldData), start, end);
  if (!isText(name, "lookup")) return covers(valueOf(heldData), valueEnd(heldData), start, end);
  // Whether the lookup is inverted: ours says so only if it is.
  const inverted = numberOf(findAttribute(start, end, Attribute.LOOKUP_FLAGS));
  if (numberOf(findAttribute(valueOf(heldData), valueEnd(heldData), Attribute.LOOKUP_FLAGS)) != inverted) return false;
  if (numberOf(findAttribute(start, end, Attribute.LOOKUP_SET_ID)) == 0)
    return covers(valueOf(heldData), valueEnd(heldData), start, end);
  const ourSet = ours.setOfLookup(start, end);
  const itsSet = kernel.setOfLookup(valueOf(heldData), valueEnd(heldData));
  if (ourSet == 0 || itsSet == 0) return false;
  changetype<Named>(itsSet).seen = true;
  if (!sameElements(kernel, changetype<Named>(itsSet), changetype<Named>(ourSet))) return false;
  // The registers still have to agree.
  return (
    same(Attribute.LOOKUP_SOURCE, valueOf(heldData), valueEnd(heldData), start, end) &&
    same(Attribute.LOOKUP_TARGET, valueOf(heldData), valueEnd(heldData), start, end)
  );
}

function sameRule(kernel: Objects, held: Part, ours: Objects, wanted: Part): bool {
  if (!same(Attribute.RULE_USERDATA, held.start, held.end, wanted.start, wanted.end)) return false;
  const left = findAttribute(held.start, held.end, Attribute.RULE_EXPRESSIONS);
  const right = findAttribute(wanted.start, wanted.end, Attribute.RULE_EXPRESSIONS);
  if (left == 0 || right == 0) return false;
  let a = firstAttribute(valueOf(left), valueEnd(left));
  let b = firstAttribute(valueOf(right), valueEnd(right));
  while (a != 0 && b != 0) {
    if (!sameExpression(kernel, a, ours, b)) return false;
    a = nextAttribute(a, valueEnd(left));
    b = nextAttribute(b, valueEnd(right));
  }
  return a == 0 && b == 0;
}

/** Both chains have the same rules in the same order. */
export function sameRules(kernel: Objects, held: Named, ours: Objects, wanted: Named): bool {
  let a = held.first;
  let b = wanted.first;
  while (a != 0 && b != 0) {
    if (!sameRule(kernel, changetype<Part>(a), ours, changetype<Part>(b))) return false;
    a = changetype<Part>(a).next;
    b = changetype<Part>(b).next;
  }
  return a == 0 && b == 0;
}

/** Same type, hook and priority, for base chains; neither is one, for others. */
export function sameChain(held: Named, wanted: Named): bool {
  const hook = findAttribute(wanted.start, wanted.end, Attribute.CHAIN_HOOK);
  const other = findAttribute(held.start, held.end, Attribute.CHAIN_HOOK);
  if (hook == 0 || other == 0) return hook == other;
  if (!covers(valueOf(other), valueEnd(other), valueOf(hook), valueEnd(hook))) return false;
  return same(Attribute.CHAIN_TYPE, held.start, held.end, wanted.start, wanted.end);
}

export function isBaseChain(chain: Named): bool {
  return findAttribute(chain.start, chain.end, Attribute.CHAIN_HOOK) != 0;
}

/** What a base chain does with packets that pass its rules. */
export function acceptsByPolicy(chain: Named): bool {
  const policy = findAttribute(chain.start, chain.end, Attribute.CHAIN_POLICY);
  return policy == 0 || numberOf(policy) == POLICY_ACCEPT;
}

/** What the kernel declares for a set that rules add to, if nobody else does (nft_dynset_init). */
const DYNAMIC_SIZE: u32 = 0xffff;

/** How many elements a set may have at most; 0: any number. */
function sizeOf(set: Named): u32 {
  const description = findAttribute(set.start, set.end, Attribute.SET_DESCRIPTION);
  if (description == 0) return 0;
  return numberOf(findAttribute(valueOf(description), valueEnd(description), Attribute.DESCRIPTION_SIZE));
}

function sameSize(held: Named, wanted: Named): bool {
  const size = sizeOf(held);
  if (size == sizeOf(wanted)) return true;
  const flags = numberOf(findAttribute(wanted.start, wanted.end, Attribute.SET_FLAGS));
  return sizeOf(wanted) == 0 && (flags & SetBit.EVAL) != 0 && size == DYNAMIC_SIZE;
}

/**
 * Same flags, types, lengths, size and timeout: what cannot be changed without making the set anew. Userdata is nft's note to
 * itself of how it shall print the set; each version of nft writes its own.
 */
export function sameSet(held: Named, wanted: Named): bool {
  // The data's length follows from its type; of verdicts the kernel gives its own.
  for (let type: u32 = Attribute.SET_FLAGS; type <= Attribute.SET_DATA_TYPE; type++) {
    const left = findAttribute(held.start, held.end, type);
    const right = findAttribute(wanted.start, wanted.end, type);
    if (right == 0) continue;
    // The kernel leaves out numbers that are 0.
    if (left == 0 ? numberOf(right) != 0 : numberOf(left) != numberOf(right)) return false;
  }
  return (
    sameSize(held, wanted) &&
    !gained(Attribute.SET_EXPRESSION, held.start, held.end, wanted.start, wanted.end) &&
    !gained(Attribute.SET_EXPRESSIONS, held.start, held.end, wanted.start, wanted.end) &&
    same(Attribute.SET_TIMEOUT, held.start, held.end, wanted.start, wanted.end)
  );
}
