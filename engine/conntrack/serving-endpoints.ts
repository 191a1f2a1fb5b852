// Which `ip:port` serve a service port, whatever hints, policies and nodes say: a flow to one of them stays. For one call
// they are kept in a hash table, so that a flow costs one look-up, however many endpoints there are.
import { bucketHash } from "../bytes/compare";
import { SLACK, Vector } from "../bytes/memory";
import { grown, sizeOf } from "../bytes/sizes";
import { EndpointRecord, firstEndpoint, SERVES, SliceRecord } from "../cluster/records";
import { firstSlice, Slice } from "../cluster/slices";
import { feeds, firstFeeding, slicePortAt } from "../routing/feeding-ports";
import { FamilyPort } from "../routing/service-ports";

/** Rows of six words: service port, port, address. */
const rows = new Vector();
const ROW_WORDS: u32 = 6;

let table: usize = 0; // row number + 1 per slot; 0: free
let tableSize: u32 = 0;

/** Number of the call; service ports whose endpoints are in the table carry it. */
let call: u32 = 0;

/** Forgets what earlier calls have seen. */
export function beginServing(): void {
  call++;
  rows.clear();
  if (tableSize != 0) memory.fill(table, 0, (<usize>tableSize) << 2);
}

const looked: usize = memory.data(24 + <i32>SLACK, 16);

function hashOf(owner: u32, port: u32, ip: usize): u32 {
  store<u32>(looked, owner);
  store<u32>(looked, port, 4);
  v128.store(looked, v128.load(ip), 8);
  return bucketHash(looked, 24);
}

/** The slot of that row, or the free one where it would go. */
function slotOf(owner: u32, port: u32, ip: usize): usize {
  let slot = hashOf(owner, port, ip) & (tableSize - 1);
  let row = load<u32>(table + ((<usize>slot) << 2));
  while (row != 0 && !isRow(row, owner, port, ip)) {
    slot = (slot + 1) & (tableSize - 1);
    row = load<u32>(table + ((<usize>slot) << 2));
  }
  return table + ((<usize>slot) << 2);
}

function isRow(number: u32, owner: u32, port: u32, ip: usize): bool {
  const row = rows.data + ((<usize>(number - 1) * ROW_WORDS) << 2);
  if (load<u32>(row) != owner || load<u32>(row, 4) != port) return false;
  return load<u64>(row, 8) == load<u64>(ip) && load<u64>(row, 16) == load<u64>(ip, 8);
}

function grow(): void {
  if (table != 0) heap.free(table);
  tableSize = grown(tableSize, 0, 1024);
  table = heap.alloc(sizeOf(tableSize, 4, SLACK));
  memory.fill(table, 0, (<usize>tableSize) << 2);
  for (let i: u32 = 0; i < rows.length; i += ROW_WORDS) {
    const at = rows.data + ((<usize>i) << 2);
    store<u32>(slotOf(load<u32>(at), load<u32>(at, 4), at + 8), i / ROW_WORDS + 1);
  }
}

function add(owner: u32, port: u32, ip: usize): void {
  if ((rows.length / ROW_WORDS + 1) << 1 > tableSize) grow();
  const slot = slotOf(owner, port, ip);
  if (load<u32>(slot) != 0) return;
  const at = rows.length;
  rows.reserve(at + ROW_WORDS);
  rows.push(owner);
  rows.push(port);
  for (let i: usize = 0; i < 16; i += 4) rows.push(load<u32>(ip + i));
  store<u32>(slot, at / ROW_WORDS + 1);
}

function collect(port: FamilyPort): void {
  const owner = <u32>changetype<usize>(port);
  port.servingCall = call;
  port.serves = false;
  for (let s = firstSlice(port.port.service, port.family); s != 0; s = changetype<Slice>(s).nextOfService) {
    const record = changetype<SliceRecord>(changetype<Slice>(s).record);
    for (let p = firstFeeding(record, port.port); feeds(record, p, port.port); p++) {
      const slicePort = slicePortAt(record, p);
      let endpoint = firstEndpoint(record);
      for (let e: u32 = 0; e < record.endpointCount; e++, endpoint += offsetof<EndpointRecord>()) {
        // Of copies, one that serves is enough.
        if ((changetype<EndpointRecord>(endpoint).flags & SERVES) == 0) continue;
        port.serves = true;
        add(owner, slicePort.port, endpoint);
      }
    }
  }
}

/** True if that address (sixteen bytes) and port serve the service port. */
export function isServing(port: FamilyPort, ip: usize, endpointPort: u32): bool {
  if (port.servingCall != call) collect(port);
  return port.serves && load<u32>(slotOf(<u32>changetype<usize>(port), endpointPort, ip)) != 0;
}

/** After `isServing`: the service port has any endpoint that serves. */
export function hasServing(port: FamilyPort): bool {
  return port.serves;
}
