// Comparing and hashing runs of bytes.

/** Byte order, a prefix before what it begins: negative, 0 or positive. */
export function compareBytes(a: usize, aLength: usize, b: usize, bLength: usize): i32 {
  const order = memory.compare(a, b, min(aLength, bLength));
  return order != 0 ? order : <i32>aLength - <i32>bLength;
}

export function equalBytes(a: usize, aLength: usize, b: usize, bLength: usize): bool {
  if (aLength != bLength) return false;
  let i: usize = 0;
  for (; i + 8 <= aLength; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  for (; i < aLength; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** True if the bytes are the ASCII text of `literal`. */
export function equalLiteral(bytes: usize, length: usize, literal: string): bool {
  if (length != <usize>literal.length) return false;
  const code = changetype<usize>(literal);
  for (let i: usize = 0; i < length; i++) if (load<u8>(bytes + i) != <u8>load<u16>(code + (i << 1))) return false;
  return true;
}

const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0xbf58476d1ce4e5b9;
const K2: u64 = 0x94d049bb133111eb;

/** Folds one 64-bit word into a running hash (a variant of SplitMix64's finaliser; public domain). */
export function mix(hash: u64, word: u64): u64 {
  let h = (hash ^ word) * K1;
  h = (h ^ (h >> 29)) * K2;
  return h ^ (h >> 32);
}

/** What tables are looked up by begins with it. */
let bucketSeed: u64 = K0;
let hasHashed: bool = false;

/**
 * Hash for a table's buckets. A tenant who knows the seed can choose names that all fall into one bucket, so hosts that run for
 * long choose one that nobody knows (`setBucketSeed`). Nothing that is returned depends on it: tables have no order, and equality
 * rests on the bytes.
 */
export function bucketHash(bytes: usize, length: usize): u32 {
  hasHashed = true;
  return <u32>hashBytes(bytes, length, bucketSeed);
}

/** False and without effect once anything has been looked up. */
export function setBucketSeed(seed: u64): bool {
  if (hasHashed) return false;
  bucketSeed = seed;
  return true;
}

/** 64-bit hash of bytes. Not for keys that an attacker must not collide: tables compare the bytes as well. */
export function hashBytes(bytes: usize, length: usize, seed: u64 = K0): u64 {
  let h = seed ^ (<u64>length * K0);
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) h = mix(h, load<u64>(bytes + i));
  if (i < length) {
    // Reads up to seven bytes past the end (see SLACK) and masks them off.
    h = mix(h, load<u64>(bytes + i) & (((<u64>1) << ((<u64>(length - i)) << 3)) - 1));
  }
  return h;
}
