// The sections of modes: what of them counts, and what is wrong in them. A mode reads its own; flat reads that of nftables.

import type { Mode } from "../contract.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { periods } from "./periods.ts";
import { type RawConfig, type RawSection, valueAt, withValue } from "./raw.ts";

export type Section = "iptables" | "nftables";

export function sectionOf(mode: Mode): Section {
  return mode === "iptables" ? "iptables" : "nftables";
}

/** Says something about a field, at its place in the file or by the name of its flag. */
export type Say = (
  severity: Diagnostic["severity"],
  field: string,
  code: string,
  message: string,
  hint?: string,
) => void;

export interface SectionsInUse {
  /** Undefined: not known, because what is given is wrong. */
  readonly mode: Mode | undefined;
  /** The file or a flag names it. */
  readonly modeIsGiven: boolean;
  readonly zeroIsDefault: boolean;
  /** A flag gives the field. */
  isFlag(field: string): boolean;
  /** The field is of the wrong type, and that is said. */
  isLeftOut(field: string): boolean;
}

/**
 * What is wrong in the section in use is an error; in the other one it is a warning, since nobody reads it. Where no mode is
 * given the other one is that of iptables, which kube-proxy would take; so that whatever it starts with does here, a wrong value
 * in ours is a warning then too. Returns `raw` with nothing in place of what is wrong and does not count.
 */
export function checkSections(raw: RawConfig, use: SectionsInUse, say: Say): RawConfig {
  const { mode, modeIsGiven } = use;
  if (mode === undefined) return raw;
  let counted = raw;
  for (const section of ["iptables", "nftables"] as const) {
    const isRead = section === sectionOf(mode);
    for (const { fields, code, message, hint } of faults(section, raw[section] ?? {}, use)) {
      const [field = ""] = fields;
      if (isRead && (modeIsGiven || fields.some(use.isFlag))) {
        say("error", field, code, message, hint);
        continue;
      }
      const why = isRead ? "the default counts, since no mode is given" : `${mode} mode does not read it`;
      say("warning", field, "unused-value", `${message}: ${why}`, hint);
      for (const each of fields) counted = withValue(counted, each, undefined);
    }
  }
  return counted;
}

interface Fault {
  /** The one to blame first. */
  readonly fields: readonly string[];
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

function* faults(name: Section, section: RawSection, use: SectionsInUse): Generator<Fault> {
  const bit = section.masqueradeBit ?? 0;
  if (bit < 0 || bit > 31) {
    const message = `${bit} is no bit of a mark`;
    yield { fields: [`${name}.masqueradeBit`], code: "masquerade-bit", message, hint: "use 0 to 31" };
  }
  let periodsAreRight = true;
  for (const each of ["syncPeriod", "minSyncPeriod"] as const) {
    const field = `${name}.${each}`;
    if (use.isLeftOut(field)) periodsAreRight = false;
    const period = parseDuration(section[each] ?? "");
    if (period === undefined || period > 0) continue;
    if (period < 0) {
      const message = `${formatDuration(period)} is negative`;
      yield { fields: [field], code: "negative-duration", message, hint: "use 0s for the default, or more" };
      periodsAreRight = false;
    } else if (!use.zeroIsDefault && each === "syncPeriod") {
      const message = "as a flag 0s is no default, and a sync period is more";
      yield { fields: [field], code: "sync-period", message, hint: "leave the flag out for the default, 30s" };
      periodsAreRight = false;
    }
  }
  // A default in place of one would be blamed on the other.
  if (!periodsAreRight) return;
  const { syncPeriodMs, minSyncPeriodMs } = periods(name, section, use.zeroIsDefault);
  if (minSyncPeriodMs <= syncPeriodMs) return;
  const message = `${formatDuration(minSyncPeriodMs)} is longer than syncPeriod, ${formatDuration(syncPeriodMs)}`;
  const both = [`${name}.minSyncPeriod`, `${name}.syncPeriod`];
  const fields = valueAt({ [name]: section }, both[0] ?? "") === undefined ? both.toReversed() : both;
  yield { fields, code: "min-sync-period", message, hint: "make syncPeriod the longer one" };
}

/** What is set for a mode that is not in use, unless the section in use says the same. */
export function sayUnread(raw: RawConfig, mode: Mode, warn: (field: string, why: string, hint?: string) => void): void {
  const [own, other] = mode === "iptables" ? ["iptables", "nftables"] : ["nftables", "iptables"];
  const shared: readonly [name: string, defaults: readonly unknown[]][] = [
    ["masqueradeAll", []],
    ["masqueradeBit", [14]],
    ["syncPeriod", ["30s"]],
    ["minSyncPeriod", ["1s"]],
  ];
  for (const [name, defaults] of shared) {
    const value = valueAt(raw, `${other}.${name}`);
    // A masqueradeBit of 0 is a bit.
    const isSet = name === "masqueradeBit" ? value !== undefined && value !== 14 : matters(value, defaults);
    if (!isSet || same(value, valueAt(raw, `${own}.${name}`))) continue;
    warn(`${other}.${name}`, `${mode} mode reads ${own}.${name}`, `set ${own}.${name} in the configuration file`);
  }
  if (mode !== "iptables" && valueAt(raw, "iptables.localhostNodePorts") === true) {
    warn("iptables.localhostNodePorts", "only iptables mode reads it");
  }
}

/** The value is not the one that is there anyway: empty, zero, false, or one of `defaults`. */
export function matters(value: unknown, defaults: readonly unknown[] = []): boolean {
  if (value === undefined || value === null || value === "" || value === false || value === 0) return false;
  if (Array.isArray(value) && value.length === 0) return false;
  if (typeof value === "string" && parseDuration(value) === 0) return false;
  return !defaults.some((normal) => same(value, normal));
}

/** Also `900s` and `15m`. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "string" || typeof b !== "string") return false;
  const duration = parseDuration(a);
  return duration !== undefined && duration === parseDuration(b);
}
