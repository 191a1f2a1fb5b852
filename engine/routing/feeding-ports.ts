// Which ports of an EndpointSlice feed a service port: those of its name and protocol (cluster/records.ts has them in order).
import { compareBytes } from "../bytes/compare";
import { SlicePortRecord, SliceRecord } from "../cluster/records";
import { ServicePort } from "./service-ports";

export function slicePortAt(record: SliceRecord, index: u32): SlicePortRecord {
  return changetype<SlicePortRecord>(
    changetype<usize>(record) + offsetof<SliceRecord>() + <usize>index * offsetof<SlicePortRecord>(),
  );
}

function compareTo(record: SliceRecord, index: u32, port: ServicePort): i32 {
  const slicePort = slicePortAt(record, index);
  const name = changetype<usize>(record) + slicePort.nameOffset;
  const order = compareBytes(name, slicePort.nameLength, port.name(), port.nameLength);
  return order != 0 ? order : <i32>slicePort.protocol - <i32>port.protocol;
}

/** Index of the first port of the slice that feeds the service port; `feeds` says whether there is any. */
export function firstFeeding(record: SliceRecord, port: ServicePort): u32 {
  let low: u32 = 0;
  let high = record.portCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareTo(record, middle, port) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The port of that index feeds the service port: it is `firstFeeding` or follows one that does. */
export function feeds(record: SliceRecord, index: u32, port: ServicePort): bool {
  return index < record.portCount && compareTo(record, index, port) == 0;
}
