// What a change of mode changes, by kind: whom it concerns, and what to do.
import type { EntryPoints } from "../../shared/entry-points.ts";
import { calendar, foundKinds, ipvsKinds, type MigrationKind, migrationKind } from "../../shared/migration-kinds.ts";
import { printable } from "../../shared/printable.ts";
import type { Comparison, Difference } from "../../shared/witness-answers.ts";
import { endingsText } from "./endings.ts";
import { packetText } from "./verify-text.ts";

export interface MigratedKind extends MigrationKind {
  /** `documented`: by Kubernetes' documentation, since there are no rules to compare. */
  readonly basis: "found" | "documented";
  /** `namespace/service`; empty: it concerns no Service of this cluster by name. */
  readonly services: readonly string[];
  /** Entry points and ranges that differ so. */
  readonly places: number;
  readonly examples: readonly { readonly packet: string; readonly before: string; readonly after: string }[];
}

/** schemas/migrate-report.json describes it. Fields may be added. */
export interface MigrateReport {
  readonly format_version: 1;
  readonly from: string;
  readonly to: string;
  readonly node: string;
  /** Everything was compared; false for ipvs, whose rules nobody can render. */
  readonly complete: boolean;
  readonly kinds: readonly MigratedKind[];
  readonly calendar: readonly { readonly version: string; readonly what: string }[];
}

export interface Migration {
  readonly from: string;
  readonly to: string;
  readonly node: string;
  /** Undefined: nothing can be compared. */
  readonly comparison: Comparison | undefined;
  readonly entryPoints: EntryPoints;
  readonly local: readonly string[];
  readonly fromMinor: number;
  readonly toMinor: number;
}

export function migrateReport(migration: Migration): MigrateReport {
  const { from, to, node, comparison, entryPoints, local, fromMinor, toMinor } = migration;
  const groups = new Map<string, Difference[]>();
  for (const difference of comparison?.differences ?? []) {
    const kind = migrationKind(difference, entryPoints, local);
    groups.set(kind, [...(groups.get(kind) ?? []), difference]);
  }
  const found = foundKinds.flatMap((kind) => {
    const differences = groups.get(kind.kind);
    return differences === undefined ? [] : [foundKind(kind, differences, entryPoints)];
  });
  const documented: MigratedKind[] =
    from === "ipvs"
      ? ipvsKinds.map((kind) => ({ ...kind, basis: "documented", services: [], places: 0, examples: [] }))
      : [];
  const dates = calendar.filter(({ minor, concerns }) => {
    if (minor <= fromMinor || minor > toMinor) return false;
    return concerns === "all" || (concerns === "ipvs" ? from === "ipvs" : entryPoints.hasKind("ExternalIP"));
  });
  return {
    format_version: 1,
    from,
    to,
    node,
    complete: comparison?.complete ?? false,
    kinds: [...documented, ...found],
    calendar: dates.map(({ minor, what }) => ({ version: `1.${minor}`, what })),
  };
}

function foundKind(kind: MigrationKind, differences: readonly Difference[], entryPoints: EntryPoints): MigratedKind {
  const services = differences.flatMap(({ destination, protocol, port }) => {
    const name = destination.includes("-")
      ? undefined
      : (entryPoints.at(destination, protocol, port[0]) ?? entryPoints.hasAddress(destination));
    return name === undefined ? [] : [name.replace(/:.*/, "")];
  });
  return {
    ...kind,
    basis: "found",
    services: [...new Set(services)].sort(),
    places: differences.length,
    examples: differences.slice(0, 2).map((difference) => ({
      packet: packetText(difference),
      before: endingsText(difference.a),
      after: endingsText(difference.b),
    })),
  };
}

/** Names listed; the JSON has all. */
const namesAtMost = 8;

export function migrateText(report: MigrateReport): string {
  const { from, to, node, kinds, complete } = report;
  const count = kinds.filter(({ basis }) => basis === "found").length;
  const what =
    count === 0
      ? "nothing behaves differently"
      : `${count} ${count === 1 ? "kind of behaviour changes" : "kinds of behaviour change"}`;
  const first =
    from === "ipvs"
      ? `from ipvs to ${to} on node ${node}: what ipvs does differently is taken from its documentation`
      : `from ${from} to ${to} on node ${node}: ${what}${complete ? "" : ", as far as was compared"}`;
  const lines = [first];
  for (const { title, advice, services, places, examples, basis } of kinds) {
    lines.push("", `* ${title}${basis === "documented" ? " (documented)" : ""}`);
    if (services.length > 0) {
      const more = services.length - namesAtMost;
      lines.push(`  Services: ${services.slice(0, namesAtMost).join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
    }
    for (const { packet, before, after } of examples) {
      lines.push(`  ${packet}`, `    before: ${before}`, `    after:  ${after}`);
    }
    if (places > examples.length)
      lines.push(`  … and ${places - examples.length} more entry points and ranges (--report json)`);
    lines.push(`  To do: ${advice}`);
  }
  if (report.calendar.length > 0) lines.push("", "Kubernetes' calendar:");
  for (const { version, what: change } of report.calendar) lines.push(`  ${version}: ${change}`);
  return `${lines.map((line) => printable(line, 2000)).join("\n")}\n`;
}
