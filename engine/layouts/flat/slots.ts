// Which endpoint stands in which slot. Slots are history, not state: an endpoint keeps its slot while it stays, so that
// replacing one touches one slot; whatever order they have come to is as good as any other.
import { bucketHash } from "../../bytes/compare";
import { arenaAlloc } from "../../bytes/memory";
import { endpointAt, endpoints } from "../../routing/endpoints";
import { Slot } from "../nft/snapshots";

const SIZE: usize = offsetof<Slot>();

function setSlot(at: usize, index: u32): void {
  const endpoint = endpointAt(index);
  memory.copy(at, endpoint.ip(), 16);
  changetype<Slot>(at).port = endpoint.port;
}

/** How many of the endpoints that were routed last have one of the bits. */
export function countEndpoints(policy: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) if ((endpointAt(i).flags & policy) != 0) count++;
  return count;
}

/** Slots in the order of the endpoints: `to` has room for all that have the bit. */
export function freshSlots(policy: u32, to: usize): void {
  let at = to;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & policy) == 0) continue;
    setSlot(at, i);
    at += SIZE;
  }
}

/**
 * Gives each endpoint with the bit a slot in `to` (room for `count`): the one that it has in `old`, as far as there are
 * so many slots now; the others take what is left, in order.
 */
export function keepSlots(policy: u32, old: usize, oldCount: u32, to: usize, count: u32): void {
  if (oldCount == 0) {
    freshSlots(policy, to);
    return;
  }
  // A small hash table of the old slots, by the endpoint in them.
  let size: u32 = 16;
  while (size < oldCount << 1) size <<= 1;
  const table = arenaAlloc((<usize>size) << 2);
  memory.fill(table, 0xff, (<usize>size) << 2);
  for (let i: u32 = 0; i < oldCount; i++) {
    let at = bucketHash(old + <usize>i * SIZE, SIZE) & (size - 1);
    while (load<i32>(table + ((<usize>at) << 2)) >= 0) at = (at + 1) & (size - 1);
    store<u32>(table + ((<usize>at) << 2), i);
  }
  const taken = arenaAlloc(<usize>count + 1, 1);
  memory.fill(taken, 0, <usize>count + 1);
  const probe = arenaAlloc(SIZE + 16);
  const homeless = arenaAlloc(((<usize>count) << 2) + 4);
  let homelessCount: usize = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & policy) == 0) continue;
    setSlot(probe, i);
    let at = bucketHash(probe, SIZE) & (size - 1);
    let slot: i32 = -1;
    for (;;) {
      slot = load<i32>(table + ((<usize>at) << 2));
      if (slot < 0 || memory.compare(old + <usize>slot * SIZE, probe, SIZE) == 0) break;
      at = (at + 1) & (size - 1);
    }
    if (slot >= 0 && <u32>slot < count && load<u8>(taken + <usize>slot) == 0) {
      store<u8>(taken + <usize>slot, 1);
      memory.copy(to + <usize>slot * SIZE, probe, SIZE);
    } else {
      store<u32>(homeless + (homelessCount++ << 2), i);
    }
  }
  let free: usize = 0;
  for (let i: usize = 0; i < homelessCount; i++) {
    while (load<u8>(taken + free) != 0) free++;
    setSlot(to + free * SIZE, load<u32>(homeless + (i << 2)));
    store<u8>(taken + free, 1);
  }
}
