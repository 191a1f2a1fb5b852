// What a reconciliation has found to differ, for the report.
import { equalBytes } from "../bytes/compare";
import { SLACK, Vector } from "../bytes/memory";
import { textLength, valueOf } from "../encodings/netlink-attributes";
import { Named } from "../encodings/netlink-objects";

@unmanaged
class Drift {
  missing: u32 = 0;
  changed: u32 = 0;
  extra: u32 = 0;
  rebuilt: bool = false;
  /** Address and length of each name, copied. */
  names: Vector = new Vector();
}

export const drift = new Drift();
const MAX_NAMES: u32 = 100;

export function forgetDrift(): void {
  for (let i: u32 = 0; i < drift.names.length; i += 2) heap.free(<usize>drift.names.get(i));
  drift.names.clear();
  drift.missing = 0;
  drift.changed = 0;
  drift.extra = 0;
  drift.rebuilt = false;
}

export function noteName(named: Named): void {
  noteText(named.name, named.nameLength);
}

/** The name that is the value of an attribute. */
export function noteAttribute(at: usize): void {
  if (at != 0) noteText(valueOf(at), textLength(at));
}

function noteText(bytes: usize, length: usize): void {
  const count = drift.names.length;
  if (count >= MAX_NAMES << 1) return;
  for (let i: u32 = 0; i < count; i += 2) {
    if (equalBytes(<usize>drift.names.get(i), <usize>drift.names.get(i + 1), bytes, length)) return;
  }
  const copy = heap.alloc(length + SLACK);
  memory.copy(copy, bytes, length);
  drift.names.push(<u32>copy);
  drift.names.push(<u32>length);
}
