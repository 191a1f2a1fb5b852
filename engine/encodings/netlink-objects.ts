// Reading nfnetlink messages about one table: what we have written, or what the kernel has dumped. Both come down to
// chains with their rules, sets, and elements, found by name or key; values stay where they are in the messages.
import { equalBytes, equalLiteral, hashBytes, mix } from "../bytes/compare";
import { arenaAlloc, Vector } from "../bytes/memory";

/** Attributes of messages that are read here. */
export namespace Attribute {
  export const CHAIN_NAME: u32 = 3;
  export const CHAIN_HOOK: u32 = 4;
  export const CHAIN_TYPE: u32 = 7;
  export const RULE_CHAIN: u32 = 2;
  export const RULE_EXPRESSIONS: u32 = 4;
  export const RULE_USERDATA: u32 = 7;
  export const SET_NAME: u32 = 2;
  export const SET_FLAGS: u32 = 3;
  export const SET_ID: u32 = 10;
  export const ELEMENTS_SET: u32 = 2;
  export const ELEMENTS_LIST: u32 = 3;
  export const ELEMENTS_SET_ID: u32 = 4;
  export const ELEMENT_KEY: u32 = 1;
  export const ELEMENT_DATA: u32 = 2;
  export const ELEMENT_FLAGS: u32 = 3;
  export const ELEMENT_USERDATA: u32 = 6;
}

const TYPE_MASK: u32 = 0x3fff;

/** Address of the attribute of that type between `at` and `end`, or 0. Never reads past `end`. */
export function findAttribute(at: usize, end: usize, type: u32): usize {
  let next = at;
  while (next + 4 <= end) {
    const length = <usize>load<u16>(next);
    if (length < 4 || next + length > end) return 0;
    if ((<u32>load<u16>(next, 2) & TYPE_MASK) == type) return next;
    next += (length + 3) & ~3;
  }
  return 0;
}

export function valueOf(attribute: usize): usize {
  return attribute + 4;
}

export function valueLength(attribute: usize): usize {
  return <usize>load<u16>(attribute) - 4;
}

export function valueEnd(attribute: usize): usize {
  return attribute + <usize>load<u16>(attribute);
}

/** A text's length without its zero. */
export function textLength(attribute: usize): usize {
  const length = valueLength(attribute);
  return length > 0 && load<u8>(valueOf(attribute) + length - 1) == 0 ? length - 1 : length;
}

export function numberOf(attribute: usize): u32 {
  return attribute == 0 || valueLength(attribute) < 4 ? 0 : bswap<u32>(load<u32>(valueOf(attribute)));
}

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
  /** Its counterpart has been looked at. */
  seen: bool;
}

/** A rule (its attributes), or an element of a set. */
@unmanaged
export class Part {
  next: usize;
  start: usize;
  end: usize;
  /** Elements: the next of the same bucket, hash of set and key, the set. */
  nextOfBucket: usize;
  hash: u32;
  owner: Named;
  seen: bool;
}

@unmanaged
export class Objects {
  hasTable: bool = false;
  names: Vector = new Vector();
  private buckets: usize = 0;
  private elementBuckets: usize = 0;
  private elementMask: u32 = 0;

  /** Forgets everything; `size`: bytes of messages to come, which bounds how many elements there can be. */
  reset(size: usize): void {
    this.hasTable = false;
    this.names.clear();
    this.buckets = arenaAlloc(4 << 12);
    memory.fill(this.buckets, 0, 4 << 12);
    let count: u32 = 1024;
    while (<usize>count < size / 64) count <<= 1;
    this.elementBuckets = arenaAlloc(<usize>count << 2);
    memory.fill(this.elementBuckets, 0, <usize>count << 2);
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
      if (named.hash == hash && named.isSet == isSet && equalBytes(named.name, named.nameLength, name, length)) return at;
      at = named.next;
    }
    return 0;
  }

  /** The set of that number of this batch, or 0: such sets are few at a time and the last is looked for. */
  private setById(id: u32): usize {
    for (let i = this.names.length; i > 0; i--) {
      const named = changetype<Named>(<usize>this.names.get(i - 1));
      if (named.isSet && named.id == id) return <usize>this.names.get(i - 1);
    }
    return 0;
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

  private append(owner: Named, start: usize, end: usize): Part {
    const at = arenaAlloc(offsetof<Part>() + 8);
    memory.fill(at, 0, offsetof<Part>());
    const part = changetype<Part>(at);
    part.start = start;
    part.end = end;
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

  private readElements(set: Named, list: usize): void {
    let at = valueOf(list);
    const end = valueEnd(list);
    while (at + 4 <= end) {
      const length = <usize>load<u16>(at);
      if (length < 4 || at + length > end) return;
      const key = findAttribute(at + 4, at + length, Attribute.ELEMENT_KEY);
      if (key != 0) {
        const part = this.append(set, at + 4, at + length);
        part.hash = elementHash(set, key, part.start, part.end);
        part.nextOfBucket = load<usize>(this.elementBucket(part.hash));
        store<usize>(this.elementBucket(part.hash), changetype<usize>(part));
      }
      at += (length + 3) & ~3;
    }
  }

  /** Reads one message's attributes. `type`: the low byte, NFT_MSG_… */
  private readMessage(type: u32, start: usize, end: usize): void {
    if (type == 0) {
      this.hasTable = true;
    } else if (type == 3 || type == 5) {
      const name = findAttribute(start, end, Attribute.CHAIN_NAME);
      if (name == 0) return;
      if (type == 5) {
        this.remove(false, valueOf(name), textLength(name));
        return;
      }
      const chain = this.add(false, valueOf(name), textLength(name), false);
      chain.start = start;
      chain.end = end;
    } else if (type == 6 || type == 8) {
      const name = findAttribute(start, end, Attribute.RULE_CHAIN);
      if (name == 0) return;
      const chain = this.add(false, valueOf(name), textLength(name), false);
      if (type == 6) {
        this.append(chain, start, end);
      } else {
        chain.first = 0;
        chain.last = 0;
        chain.count = 0;
      }
    } else if (type == 9 || type == 11) {
      const name = findAttribute(start, end, Attribute.SET_NAME);
      if (name == 0) return;
      if (type == 11) {
        this.remove(true, valueOf(name), textLength(name));
        return;
      }
      const unnamed = load<u8>(valueEnd(name) - 2) == 0x64 && load<u8>(valueEnd(name) - 3) == 0x25; // ends in %d
      const set = this.add(true, valueOf(name), textLength(name), unnamed);
      set.start = start;
      set.end = end;
      set.id = numberOf(findAttribute(start, end, Attribute.SET_ID));
    } else if (type == 12) {
      const name = findAttribute(start, end, Attribute.ELEMENTS_SET);
      const list = findAttribute(start, end, Attribute.ELEMENTS_LIST);
      const id = numberOf(findAttribute(start, end, Attribute.ELEMENTS_SET_ID));
      if (name == 0 || list == 0) return;
      const set = id != 0 ? this.setById(id) : this.find(true, valueOf(name), textLength(name));
      if (set != 0) this.readElements(changetype<Named>(set), list);
    }
  }

  /** Reads messages one after the other. What is cut off or belongs to another subsystem is left out. */
  read(bytes: usize, length: usize): void {
    let at = bytes;
    const stop = bytes + length;
    while (at + 20 <= stop) {
      const size = <usize>load<u32>(at);
      if (size < 20 || at + size > stop) return;
      if (load<u8>(at + 5) == 10) this.readMessage(<u32>load<u8>(at + 4), at + 20, at + size);
      at += (size + 3) & ~3;
    }
  }

  /** The set that a lookup expression of these attributes names. */
  setOfLookup(start: usize, end: usize): usize {
    const id = numberOf(findAttribute(start, end, 4));
    if (id != 0) return this.setById(id);
    const name = findAttribute(start, end, 1);
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
