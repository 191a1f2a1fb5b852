// Comparing what we want with what the kernel has. The kernel adds attributes of its own (handles, defaults), so ours
// must all be there with the same values, and what else there is does not matter.
import { equalBytes } from "../bytes/compare";
import {
  Attribute,
  findAttribute,
  isText,
  Named,
  numberOf,
  Objects,
  Part,
  valueEnd,
  valueLength,
  valueOf,
} from "./netlink-objects";

const NESTED: u32 = 0x8000;

/** All attributes of [wanted, wantedEnd) are in [held, heldEnd), nests compared likewise. */
function covers(held: usize, heldEnd: usize, wanted: usize, wantedEnd: usize): bool {
  let at = wanted;
  while (at + 4 <= wantedEnd) {
    const type = <u32>load<u16>(at, 2);
    const other = findAttribute(held, heldEnd, type & 0x3fff);
    if (other == 0) return false;
    if ((type & NESTED) != 0) {
      if (!covers(valueOf(other), valueEnd(other), valueOf(at), valueEnd(at))) return false;
    } else if (!equalBytes(valueOf(other), valueLength(other), valueOf(at), valueLength(at))) {
      return false;
    }
    at += (<usize>load<u16>(at) + 3) & ~3;
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

/** Data and comment of an element are the same. */
export function sameElement(held: Part, wanted: Part): bool {
  const data = findAttribute(wanted.start, wanted.end, Attribute.ELEMENT_DATA);
  if (data != 0) {
    const other = findAttribute(held.start, held.end, Attribute.ELEMENT_DATA);
    if (other == 0 || !covers(valueOf(other), valueEnd(other), valueOf(data), valueEnd(data))) return false;
  }
  return same(Attribute.ELEMENT_USERDATA, held.start, held.end, wanted.start, wanted.end);
}

/** Both sets have the same elements. */
export function sameElements(kernel: Objects, held: Named, wanted: Named): bool {
  if (held.count != wanted.count) return false;
  for (let at = wanted.first; at != 0; at = changetype<Part>(at).next) {
    const part = changetype<Part>(at);
    const other = kernel.findElement(held, part.start, part.end);
    if (other == 0 || !sameElement(changetype<Part>(other), part)) return false;
  }
  return true;
}

/** Same kind of translation, family and registers for address and port. */
function sameNat(held: usize, heldEnd: usize, wanted: usize, wantedEnd: usize): bool {
  return (
    same(1, held, heldEnd, wanted, wantedEnd) &&
    same(2, held, heldEnd, wanted, wantedEnd) &&
    same(3, held, heldEnd, wanted, wantedEnd) &&
    same(5, held, heldEnd, wanted, wantedEnd)
  );
}

/** One expression; sets without a name of their own are compared by their elements. */
function sameExpression(kernel: Objects, held: usize, ours: Objects, wanted: usize): bool {
  const name = findAttribute(valueOf(wanted), valueEnd(wanted), 1);
  const data = findAttribute(valueOf(wanted), valueEnd(wanted), 2);
  const heldName = findAttribute(valueOf(held), valueEnd(held), 1);
  const heldData = findAttribute(valueOf(held), valueEnd(held), 2);
  if (name == 0 || data == 0 || heldName == 0 || heldData == 0) return false;
  if (!equalBytes(valueOf(name), valueLength(name), valueOf(heldName), valueLength(heldName))) return false;
  const start = valueOf(data);
  const end = valueEnd(data);
  // Of nat's flags the kernel makes more than it was given; registers say all that they do.
  if (isText(name, "nat")) return sameNat(valueOf(heldData), valueEnd(heldData), start, end);
  if (!isText(name, "lookup")) return covers(valueOf(heldData), valueEnd(heldData), start, end);
  // Whether the lookup is inverted: ours says so only if it is.
  const inverted = numberOf(findAttribute(start, end, 5));
  if (numberOf(findAttribute(valueOf(heldData), valueEnd(heldData), 5)) != inverted) return false;
  if (numberOf(findAttribute(start, end, 4)) == 0) return covers(valueOf(heldData), valueEnd(heldData), start, end);
  const ourSet = ours.setOfLookup(start, end);
  const itsSet = kernel.setOfLookup(valueOf(heldData), valueEnd(heldData));
  if (ourSet == 0 || itsSet == 0) return false;
  changetype<Named>(itsSet).seen = true;
  if (!sameElements(kernel, changetype<Named>(itsSet), changetype<Named>(ourSet))) return false;
  // The registers still have to agree.
  return (
    same(2, valueOf(heldData), valueEnd(heldData), start, end) &&
    same(3, valueOf(heldData), valueEnd(heldData), start, end)
  );
}

function sameRule(kernel: Objects, held: Part, ours: Objects, wanted: Part): bool {
  if (!same(Attribute.RULE_USERDATA, held.start, held.end, wanted.start, wanted.end)) return false;
  const left = findAttribute(held.start, held.end, Attribute.RULE_EXPRESSIONS);
  const right = findAttribute(wanted.start, wanted.end, Attribute.RULE_EXPRESSIONS);
  if (left == 0 || right == 0) return false;
  let a = valueOf(left);
  let b = valueOf(right);
  while (a + 4 <= valueEnd(left) && b + 4 <= valueEnd(right)) {
    if (!sameExpression(kernel, a, ours, b)) return false;
    a += (<usize>load<u16>(a) + 3) & ~3;
    b += (<usize>load<u16>(b) + 3) & ~3;
  }
  return a >= valueEnd(left) && b >= valueEnd(right);
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

/** Base chains: same type, hook and priority. */
export function sameChain(held: Named, wanted: Named): bool {
  const hook = findAttribute(wanted.start, wanted.end, Attribute.CHAIN_HOOK);
  const other = findAttribute(held.start, held.end, Attribute.CHAIN_HOOK);
  if (hook == 0 || other == 0) return hook == other;
  if (!covers(valueOf(other), valueEnd(other), valueOf(hook), valueEnd(hook))) return false;
  return same(Attribute.CHAIN_TYPE, held.start, held.end, wanted.start, wanted.end);
}

/** Same flags, types, timeout and userdata: what cannot be changed without making the set anew. */
export function sameSet(held: Named, wanted: Named): bool {
  // Attribute 7, the data's length, follows from its type; of verdicts the kernel gives its own.
  for (let type: u32 = Attribute.SET_FLAGS; type <= 6; type++) {
    const left = findAttribute(held.start, held.end, type);
    const right = findAttribute(wanted.start, wanted.end, type);
    if (right == 0) continue;
    // The kernel leaves out numbers that are 0.
    if (left == 0 ? numberOf(right) != 0 : numberOf(left) != numberOf(right)) return false;
  }
  return same(11, held.start, held.end, wanted.start, wanted.end) && same(13, held.start, held.end, wanted.start, wanted.end);
}
