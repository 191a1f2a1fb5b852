// CIDRs of Nodes and ServiceCIDRs.
import { Severity } from "../abi/problems";
import { parseCIDR } from "../bytes/address";
import { IPV4, IPV6 } from "../bytes/protocols";
import { RangeRecord } from "../cluster/records";
import { valueProblem } from "./report";
import { Scratch } from "./scratch";
import { isBlank, textAt } from "./texts";

export const RANGE_SIZE: usize = offsetof<RangeRecord>();

const words: usize = heap.alloc(16);

/** Turns texts into RangeRecords; one that is no CIDR gets a warning and is left out. */
export function checkRanges(texts: Scratch, ranges: Scratch): void {
  ranges.clear();
  for (let i: u32 = 0; i < texts.length; i++) {
    const text = textAt(texts, i);
    const parsed = parseCIDR(text.bytes, text.length, words);
    if (parsed < 0) {
      if (isBlank(text)) continue;
      valueProblem(
        Severity.WARNING,
        "invalid-cidr",
        text.valueAt,
        text.bytes,
        text.length,
        " is no CIDR; it is left out",
        "write a range such as 10.244.0.0/24",
      );
      continue;
    }
    const range = ranges.add();
    const record = changetype<RangeRecord>(range);
    record.family = <u8>(parsed >> 8 == 4 ? IPV4 : IPV6);
    record.prefix = <u8>parsed;
    record.index = i;
    v128.store(range, v128.load(words), offsetof<RangeRecord>("word0"));
  }
}
