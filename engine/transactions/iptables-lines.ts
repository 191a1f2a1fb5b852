// Which Service caused which line of a batch in iptables mode: iptables-restore tells by their numbers what it refuses.
import { Vector } from "../bytes/memory";
import { outNoteLines, StreamName } from "../bytes/out";
import { sortVector } from "../bytes/sort";
import { compareServices } from "../cluster/services";

/**
 * Of each family's last batch. Rows of four words: a Service (or 0: none, or DELETION), and how many lines each stream had when what
 * it causes began. The streams follow one another in the batch. The first row is the batch's start, the last its end.
 */
const ipv4 = new Vector();
const ipv6 = new Vector();
const ROW: u32 = 4;

function rowsOf(family: u32): Vector {
  return family == 0 ? ipv4 : ipv6;
}

/** What stands in place of a Service for lines that delete chains of earlier plans. */
export const DELETION: usize = 1;

/** Forgets the lines of earlier plans. */
export function forgetLines(): void {
  ipv4.clear();
  ipv6.clear();
}

/** The lines of the family's batch that are written from now on are caused by that Service, by DELETION, or (0) by none. */
export function writeLinesFor(family: u32, service: usize): void {
  const rows = rowsOf(family);
  const row = rows.length;
  rows.reserve(row + ROW);
  rows.length = row + ROW;
  const at = rows.data + ((<usize>row) << 2);
  store<u32>(at, <u32>service);
  outNoteLines(at + 4);
}

/** The Service (or DELETION) that caused the line of the family's batch, counted from 1; 0: none, or there is no such line. */
export function serviceOfLine(family: u32, number: u32): u32 {
  const rows = rowsOf(family);
  const count = rows.length / ROW;
  if (count == 0 || number == 0) return 0;
  let left = number - 1;
  for (let stream: u32 = StreamName.MAIN; stream <= StreamName.NAT_RULES; stream++) {
    const column = 1 + stream;
    const first = rows.get(column);
    const lines = rows.get((count - 1) * ROW + column) - first;
    if (left >= lines) {
      left -= lines;
      continue;
    }
    let low: u32 = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows.get(middle * ROW + column) <= first + left) low = middle + 1;
      else high = middle;
    }
    return rows.get((low - 1) * ROW);
  }
  return 0;
}

/** Lines that all streams had when the row was made. */
function linesBefore(rows: Vector, row: u32): u32 {
  return rows.get(row + 1) + rows.get(row + 2) + rows.get(row + 3);
}

/** The Services that caused lines, each once, sorted, into `list`. */
export function listSuspects(family: u32, list: Vector): void {
  list.clear();
  const rows = rowsOf(family);
  for (let at: u32 = 0; at + ROW < rows.length; at += ROW) {
    if (rows.get(at) > <u32>DELETION && linesBefore(rows, at + ROW) != linesBefore(rows, at)) list.push(rows.get(at));
  }
  // Entry points that another one owns are written after the dispatch of all Services: some come a second time.
  sortVector(list, 0, list.length, compareServices);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < list.length; i++)
    if (i == 0 || list.get(i) != list.get(i - 1)) list.set(kept++, list.get(i));
  list.length = kept;
}
