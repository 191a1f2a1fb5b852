// Sizes of memory, checked. Memory is addressed with 32 bits, and what comes from outside can be multiplied beyond them:
// every size that is a product or a sum goes through here. What no block can hold traps. The host takes that as running out
// of memory: it leaves the object out that has caused it.

/** The largest block that the allocator can give, less its own header: a gibibyte. */
export const LARGEST_BLOCK: usize = (1 << 30) - 64;

/** Bytes of `count` items of `size` bytes each, and `more`. */
export function sizeOf(count: u32, size: usize, more: usize = 0): usize {
  const bytes = <u64>count * <u64>size + <u64>more;
  if (bytes > <u64>LARGEST_BLOCK) unreachable();
  return <usize>bytes;
}

/** A sum of counts or sizes. */
export function sumOf(a: u32, b: u32): u32 {
  const sum = <u64>a + <u64>b;
  if (sum > <u64>u32.MAX_VALUE) unreachable();
  return <u32>sum;
}

/** A product of counts. */
export function productOf(a: u32, b: u32): u32 {
  const product = <u64>a * <u64>b;
  if (product > <u64>u32.MAX_VALUE) unreachable();
  return <u32>product;
}

/** What a list that has room for `capacity` items grows to, by doubling, to hold `wanted`; at least `least`. */
export function grown(capacity: u32, wanted: u32, least: u32): u32 {
  let next = max<u64>((<u64>capacity) << 1, <u64>least);
  while (next < <u64>wanted) next <<= 1;
  if (next > <u64>u32.MAX_VALUE) unreachable();
  return <u32>next;
}
