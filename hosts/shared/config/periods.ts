// How often the rules are written and checked.
import { parseDuration } from "./duration.ts";
import type { RawSection } from "./raw.ts";

export interface Periods {
  syncPeriodMs: number;
  minSyncPeriodMs: number;
}

/** What a section says of them. `zeroIsDefault`: as in a file; a flag that says 0 means it. */
export function periods(name: "iptables" | "nftables", section: RawSection, zeroIsDefault: boolean): Periods {
  const period = (given: string | null | undefined, otherwise: number) => {
    const found = parseDuration(given ?? "") ?? otherwise;
    return Math.min(longest, found === 0 && zeroIsDefault ? otherwise : found);
  };
  return {
    syncPeriodMs: period(section.syncPeriod, 30_000),
    minSyncPeriodMs: period(section.minSyncPeriod, name === "iptables" ? 1000 : 0),
  };
}

/** 24 days: Node's timers take no more, and fire at once instead. */
const longest = 0x7fffffff;

/** 0 where nothing is given: a duration of 0 means the default. */
export function milliseconds(value: string | number | null | undefined): number {
  return parseDuration(value ?? 0) ?? 0;
}
