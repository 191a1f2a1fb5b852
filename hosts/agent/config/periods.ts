// How often the rules are written and checked.
import type { Mode } from "../../shared/contract.ts";
import { parseDuration } from "./duration.ts";
import type { RawAgentConfig } from "./raw-config.ts";

/** The period of a mode: that of its own section; flat reads nftables'. */
export function periods(raw: RawAgentConfig, mode: Mode): { syncPeriodMs: number; minSyncPeriodMs: number } {
  const section = mode === "iptables" ? raw.iptables : raw.nftables;
  return {
    syncPeriodMs: Math.min(longest, milliseconds(section?.syncPeriod) || 30_000),
    minSyncPeriodMs: Math.min(longest, milliseconds(section?.minSyncPeriod) || (mode === "iptables" ? 1000 : 0)),
  };
}

/** 24 days: Node's timers take no more, and fire at once instead. */
const longest = 0x7fffffff;

/** 0 where nothing is given: a duration of 0 means the default. */
export function milliseconds(value: string | number | null | undefined): number {
  return parseDuration(value ?? 0) ?? 0;
}
