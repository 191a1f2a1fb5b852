// Reading nfnetlink messages about one table: what we have written, or what the kernel has dumped. Both come down to
// chains with their rules, sets, and elements, found by name or key; values stay where they are in the messages.
import { equalBytes, equalLiteral, hashBytes, mix } from "../bytes/compare";
import { arenaAlloc, Vector } from "../bytes/memory";
import {
  findAttribute,
  firstAttribute,
  nextAttribute,
  numberOf,
  textLength,
  valueEnd,
  valueLength,
  valueOf,
} from "./netlink-attributes";
import { Attribute, Message } from "./netlink-numbers";

/** A chain, or a set or map. */
@unmanaged
export class Named {
  next: usize;
  hash: u32;
  isSet: bool;
  name: usize;
  nameLength: usize;
  /** Attributes of the message that made it. */
  start: usize;
  end: usize;
  /** Rules of a chain in their order, or elements of a set: first and last, linked through their `next`. */
  first: usize;
  last: usize;
  count: u32;
  /** Number that a set of this batch goes by until it has a name. */
  id: u32;
  /** Sequence number of the message that made it. */
  message: u32;
  /** Its counterpart has been looked at. */
  seen: bool;
}

/** A rule (its attributes), or an element of a set. */
@unmanaged
export class Part {
  next: usize;
  start: usize;
  end: usize;
  /** Sequence number of its message. */
  message: u32;
  /** Elements: the next of the same bucket, hash of set and key, the set. */
  nextOfBucket: usize;
  hash: u32;
  owner: Named;
  /** Of the kernel's elements: it is as it should be. Of ours: it has been sent ahead of others. */
  seen: bool;
  /** Of the kernel's elements: it comes back with other data. */
  replaced: bool;
}

@unmanaged
export class Objects {
  hasTable: bool = false;
  /** Attributes of the table. */
  tableStart: usize = 0;
  tableEnd: usize = 0;
  /** Stateful objects and flowtables: message type, start and end of the attributes. */
  others: Vector = new Vector();
  names: Vector = new Vector();
  /** Sets with a number; numbers go up from batch to batch. */
  private numbered: Vector = new Vector();
  /** Sequence number of the message that is being read. */
  private message: u32 = 0;
  private buckets: usize = 0;
  private elementBuckets: usize = 0;
  private elementMask: u32 = 0;

  /** Forgets everything; `size`: bytes of messages to come, which bounds how many elements there can be. */
  reset(size: usize): void {
    this.hasTable = false;
    this.others.clear();
    this.names.clear();
    this.numbered.clear();
    this.buckets = arenaAlloc(4 << 12);
    memory.fill(this.buckets, 0, 4 << 12);
    let count: u32 = 1024;
    while (<usize>count < size / 64) count <<= 1;
    this.elementBuckets = arenaAlloc((<usize>count) << 2);
    memory.fill(this.elementBuckets, 0, (<usize>count) << 2);
    this.elementMask = count - 1;
  }

  private bucket(hash: u32): usize {
    return this.buckets + ((<usize>(hash & 4095)) << 2);
  }

  find(isSet: bool, name: usize, length: usize): usize {
    const hash = <u32>mix(hashBytes(name, length), <u64>isSet);
    let at = load<usize>(this.bucket(hash));
    while (at != 0) {
      const named = changetype<Named>(at);
      if (named.hash == hash && named.isSet == isSet && equalBytes(named.name, named.nameLength, name, length))
        return at;
      at = named.next;
    }
    return 0;
  }

  /** The set of that number, or 0. */
  private setById(id: u32): usize {
    let low: u32 = 0;
    let high = this.numbered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (changetype<Named>(<usize>this.numbered.get(middle)).id < id) low = middle + 1;
      else high = middle;
    }
    if (low == this.numbered.length) return 0;
    const found = <usize>this.numbered.get(low);
    return changetype<Named>(found).id == id ? found : 0;
  }

  private add(isSet: bool, name: usize, length: usize, unnamed: bool): Named {
    const found: usize = unnamed ? 0 : this.find(isSet, name, length);
    if (found != 0) return changetype<Named>(found);
    const at = arenaAlloc(offsetof<Named>() + 8);
    memory.fill(at, 0, offsetof<Named>());
    const named = changetype<Named>(at);
    named.isSet = isSet;
    named.name = name;
    named.nameLength = length;
    named.hash = <u32>mix(hashBytes(name, length), <u64>isSet);
    if (!unnamed) {
      named.next = load<usize>(this.bucket(named.hash));
      store<usize>(this.bucket(named.hash), at);
    }
    this.names.push(<u32>at);
    return named;
  }

  private remove(isSet: bool, name: usize, length: usize): void {
    const found = this.find(isSet, name, length);
    if (found == 0) return;
    let link = this.bucket(changetype<Named>(found).hash);
    while (load<usize>(link) != found) link = load<usize>(link) + offsetof<Named>("next");
    store<usize>(link, changetype<Named>(found).next);
    let kept: u32 = 0;
    for (let i: u32 = 0; i < this.names.length; i++) {
      if (<usize>this.names.get(i) != found) this.names.set(kept++, this.names.get(i));
    }
    this.names.length = kept;
  }

  /** A message of that type deletes the object or flowtable (whose names are the same attribute) with that name. */
  private removeOther(type: u32, name: usize): void {
    let kept: u32 = 0;
    for (let i: u32 = 0; i < this.others.length; i += 3) {
      const other = findAttribute(<usize>this.others.get(i + 1), <usize>this.others.get(i + 2), Attribute.OBJECT_NAME);
      const gone =
        this.others.get(i) + 2 == type &&
        name != 0 &&
        other != 0 &&
        equalBytes(valueOf(name), textLength(name), valueOf(other), textLength(other));
      for (let word: u32 = 0; !gone && word < 3; word++) this.others.set(kept++, this.others.get(i + word));
    }
    this.others.length = kept;
  }

  private append(owner: Named, start: usize, end: usize): Part {
    const at = arenaAlloc(offsetof<Part>() + 8);
    memory.fill(at, 0, offsetof<Part>());
    const part = changetype<Part>(at);
    part.start = start;
    part.end = end;
    part.message = this.message;
    part.owner = owner;
    if (owner.last == 0) owner.first = at;
    else changetype<Part>(owner.last).next = at;
    owner.last = at;
    owner.count++;
    return part;
  }

  private elementBucket(hash: u32): usize {
    return this.elementBuckets + ((<usize>(hash & this.elementMask)) << 2);
  }

  /** The element of a set with the same key (and the same end of a range) as one of another set, or 0. */
  findElement(set: Named, start: usize, end: usize): usize {
    const key = findAttribute(start, end, Attribute.ELEMENT_KEY);
    if (key == 0) return 0;
    const hash = elementHash(set, key, start, end);
    let at = load<usize>(this.elementBucket(hash));
    while (at != 0) {
      const part = changetype<Part>(at);
      if (part.hash == hash && changetype<usize>(part.owner) == changetype<usize>(set)) {
        const other = findAttribute(part.start, part.end, Attribute.ELEMENT_KEY);
        if (equalBytes(valueOf(key), valueLength(key), valueOf(other), valueLength(other))) return at;
      }
      at = part.nextOfBucket;
    }
    return 0;
  }

  private readElements(set: Named, list: usize, take: (set: Named, start: usize, end: usize) => bool): void {
    const end = valueEnd(list);
    for (let at = firstAttribute(valueOf(list), end); at != 0; at = nextAttribute(at, end)) {
      const key = findAttribute(valueOf(at), valueEnd(at), Attribute.ELEMENT_KEY);
      if (key == 0 || !take(set, valueOf(at), valueEnd(at))) continue;
      const part = this.append(set, valueOf(at), valueEnd(at));
      part.hash = elementHash(set, key, part.start, part.end);
      part.nextOfBucket = load<usize>(this.elementBucket(part.hash));
      store<usize>(this.elementBucket(part.hash), changetype<usize>(part));
    }
  }

  /** Reads one message's attributes. */
  private readMessage(type: u32, start: usize, end: usize, take: (set: Named, start: usize, end: usize) => bool): void {
    if (type == Message.NEW_TABLE) {
      this.hasTable = true;
      this.tableStart = start;
      this.tableEnd = end;
    } else if (type == Message.NEW_OBJECT || type == Message.NEW_FLOWTABLE) {
      this.others.push(type);
      this.others.push(<u32>start);
      this.others.push(<u32>end);
    } else if (type == Message.DELETE_OBJECT || type == Message.DELETE_FLOWTABLE) {
      this.removeOther(type, findAttribute(start, end, Attribute.OBJECT_NAME));
    } else if (type == Message.NEW_CHAIN || type == Message.DELETE_CHAIN) {
      const name = findAttribute(start, end, Attribute.CHAIN_NAME);
      if (name == 0) return;
      if (type == Message.DELETE_CHAIN) {
        this.remove(false, valueOf(name), textLength(name));
        return;
      }
      const chain = this.add(false, valueOf(name), textLength(name), false);
      chain.start = start;
      chain.end = end;
      chain.message = this.message;
    } else if (type == Message.NEW_RULE || type == Message.DELETE_RULE) {
      const name = findAttribute(start, end, Attribute.RULE_CHAIN);
      if (name == 0) return;
      const chain = this.add(false, valueOf(name), textLength(name), false);
      if (type == Message.NEW_RULE) {
        this.append(chain, start, end);
      } else {
        chain.first = 0;
        chain.last = 0;
        chain.count = 0;
      }
    } else if (type == Message.NEW_SET || type == Message.DELETE_SET) {
      const name = findAttribute(start, end, Attribute.SET_NAME);
      if (name == 0) return;
      if (type == Message.DELETE_SET) {
        this.remove(true, valueOf(name), textLength(name));
        return;
      }
      const unnamed = load<u8>(valueEnd(name) - 2) == 0x64 && load<u8>(valueEnd(name) - 3) == 0x25; // ends in %d
      const set = this.add(true, valueOf(name), textLength(name), unnamed);
      set.start = start;
      set.end = end;
      set.message = this.message;
      set.id = numberOf(findAttribute(start, end, Attribute.SET_ID));
      if (set.id != 0) this.numbered.push(<u32>changetype<usize>(set));
    } else if (type == Message.NEW_ELEMENT) {
      const name = findAttribute(start, end, Attribute.ELEMENTS_SET);
      const list = findAttribute(start, end, Attribute.ELEMENTS_LIST);
      const id = numberOf(findAttribute(start, end, Attribute.ELEMENTS_SET_ID));
      if (name == 0 || list == 0) return;
      const set = id != 0 ? this.setById(id) : this.find(true, valueOf(name), textLength(name));
      if (set != 0) this.readElements(changetype<Named>(set), list, take);
    }
  }

  /**
   * Reads the message at `at`, and returns where the next one is; 0: it was the last before `stop`. What is cut off or
   * belongs to another subsystem is left out, and so are elements for which `take` returns false.
   */
  read(at: usize, stop: usize, take: (set: Named, start: usize, end: usize) => bool): usize {
    if (at + 20 > stop) return 0;
    const size = <usize>load<u32>(at);
    if (size < 20 || at + size > stop) return 0;
    this.message = load<u32>(at, 8);
    this.readMessage(<u32>load<u16>(at, 4), at + 20, at + size, take);
    const next = at + ((size + 3) & ~3);
    return next < stop ? next : 0;
  }

  /** The set that a lookup expression of these attributes names. */
  setOfLookup(start: usize, end: usize): usize {
    const id = numberOf(findAttribute(start, end, Attribute.LOOKUP_SET_ID));
    if (id != 0) return this.setById(id);
    const name = findAttribute(start, end, Attribute.LOOKUP_SET);
    return name == 0 ? 0 : this.find(true, valueOf(name), textLength(name));
  }
}

function elementHash(set: Named, key: usize, start: usize, end: usize): u32 {
  const flags = numberOf(findAttribute(start, end, Attribute.ELEMENT_FLAGS));
  return <u32>mix(hashBytes(valueOf(key), valueLength(key), <u64>changetype<usize>(set)), <u64>flags);
}

/** True if the attribute's text is the literal. */
export function isText(attribute: usize, literal: string): bool {
  return attribute != 0 && equalLiteral(valueOf(attribute), textLength(attribute), literal);
}
