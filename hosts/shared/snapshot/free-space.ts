// Where there is room for ranges of addresses.
import { type Block, sizeOf } from "./address-block.ts";

/** A pool and how far it is filled. */
interface Pool {
  readonly end: bigint;
  next: bigint;
}

/** Hands out ranges in pools, in rising order in each. Ask for the larger ones first, so that none is split. */
export class FreeSpace {
  readonly #pools: readonly Pool[];
  /** Sorted, and none touches another. */
  readonly #obstacles: readonly { readonly start: bigint; readonly end: bigint }[];

  /** @param obstacles what is handed out has no address in common with them */
  constructor(pools: readonly Block[], obstacles: readonly Block[]) {
    this.#pools = pools.map((pool) => ({ next: pool.base, end: pool.base + sizeOf(pool) }));
    this.#obstacles = merged(obstacles);
  }

  /**
   * @param skipFirst not a pool's first address, which looks like the pool's own
   * @returns the first address of a range of that size
   * @throws {RangeError} there is no room left
   */
  take(size: bigint, skipFirst: (start: bigint) => boolean): bigint {
    for (const pool of this.#pools) {
      let start = alignedUp(skipFirst(pool.next) ? pool.next + 1n : pool.next, size);
      for (let obstacle = this.#met(start, size); obstacle !== undefined; obstacle = this.#met(start, size)) {
        start = alignedUp(obstacle.end, size);
      }
      if (start + size > pool.end) continue;
      pool.next = start + size;
      return start;
    }
    throw new RangeError("there is no room for other addresses");
  }

  /** The first obstacle in the range. */
  #met(start: bigint, size: bigint): { readonly end: bigint } | undefined {
    let low = 0;
    let high = this.#obstacles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#obstacles[middle]?.end ?? 0n) <= start) low = middle + 1;
      else high = middle;
    }
    const found = this.#obstacles[low];
    return found !== undefined && found.start < start + size ? found : undefined;
  }
}

function alignedUp(address: bigint, size: bigint): bigint {
  return ((address + size - 1n) / size) * size;
}

function merged(blocks: readonly Block[]): { start: bigint; end: bigint }[] {
  const result: { start: bigint; end: bigint }[] = [];
  for (const block of [...blocks].sort(byBase)) {
    const end = block.base + sizeOf(block);
    const last = result.at(-1);
    if (last === undefined || block.base > last.end) result.push({ start: block.base, end });
    else if (end > last.end) last.end = end;
  }
  return result;
}

/** Of ranges that begin alike the larger one comes first. */
export function byBase(a: Block, b: Block): number {
  return a.base < b.base ? -1 : a.base > b.base ? 1 : a.length - b.length;
}
