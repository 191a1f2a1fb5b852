// Which rules are missing, there as well, or others, and whose doing it may be: where to look when packets end differently.
import type { RuleLines } from "../../shared/rule-lines.ts";
import type { RuleDifference, RuleDifferences } from "../../shared/witness-answers.ts";
import { type Place, placed } from "./trace-report.ts";

export interface ReportedRules {
  readonly what: RuleDifference["what"];
  /** `ip nat KUBE-SERVICES`, `ip sluice service-ips`, or the table alone. */
  readonly where: string;
  readonly a: readonly Place[];
  readonly b: readonly Place[];
}

/** What kube-proxy and we call chains of iptables' tables. */
const OURS = /^KUBE-(?!FIREWALL$|KUBELET-CANARY$)/;
/** Tables that are kube-proxy's or ours in one mode or another. */
const MODES: Readonly<Record<string, string>> = { sluice: "flat", "kube-proxy": "nftables" };
const BUILT_IN = /^(?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/;

function places(lines: RuleLines, numbers: readonly number[]): Place[] {
  return numbers.flatMap((number) => {
    const { at } = placed(lines, number);
    return at === undefined ? [] : [at];
  });
}

export function reportedRules({ differences }: RuleDifferences, a: RuleLines, b: RuleLines): ReportedRules[] {
  return differences.filter(isOfInterest).map((each) => ({
    what: each.what,
    where: whereOf(each),
    a: places(a, each.a),
    b: places(b, each.b),
  }));
}

/** What others have in tables that all share is no difference: only what packets notice of it is. */
function isOfInterest({ what, table, chain = "", b }: RuleDifference): boolean {
  if (table in MODES || OURS.test(chain)) return true;
  return what !== "chain-extra" && what !== "chain-otherwise" && what !== "order" && b.length > 0;
}

interface Found {
  readonly rules: RuleDifferences;
  /** The rule lines of A at which packets end otherwise. */
  readonly decisive: ReadonlySet<number>;
}

/** Whose doing it may be that packets end otherwise, as sentences, the surest first. */
export function culprits({ rules, decisive }: Found): string[] {
  const { differences: all, foreign } = rules;
  const of = (...whats: string[]) => all.filter(({ what }) => whats.includes(what));
  const found: string[] = [];
  for (const { table } of unique(of("table-off"))) {
    found.push(
      `table ${table} is switched off (flags dormant): somebody has set the flag; \`nft add table\` without it ends that`,
    );
  }
  for (const { table } of unique(of("table-missing"))) {
    found.push(
      `table ${table} is gone, or was never written: a \`flush ruleset\` (firewalld and nftables.service do that when they are restarted), or nothing that writes it runs here`,
    );
  }
  for (const { family, table, lines } of foreign) {
    const mode = MODES[table];
    const name = `table ${family} ${table}`;
    if (mode !== undefined) {
      found.push(
        `${name} is of another mode (${mode}): a kube-proxy or agent that has run before has left it, or still runs`,
      );
    } else if (lines.length === 2 && [...decisive].some((line) => line >= (lines[0] ?? 0) && line <= (lines[1] ?? 0))) {
      found.push(`${name} decides: it is somebody else's (a firewall, a CNI plugin)`);
    }
  }
  for (const each of of("chain-otherwise")) {
    found.push(
      `the base chain ${whereOf(each)} has another policy, priority or hook: somebody has changed it (\`iptables -P\`, \`nft add chain\`)`,
    );
  }
  const inBuiltIn = of("rules").filter(({ chain = "" }) => BUILT_IN.test(chain));
  for (const each of inBuiltIn) {
    const where = whereOf(each);
    if (each.b.length > 0)
      found.push(`the jump to our chains is gone from ${where}: somebody has flushed it, or restored an older dump`);
    if (each.a.some((line) => decisive.has(line))) found.push(`a rule in ${where} decides that is not ours`);
  }
  const inOurs = of("rules", "order", "chain-missing", "chain-extra").filter(({ chain = "" }) => !BUILT_IN.test(chain));
  const elements = of(
    "element-missing",
    "element-extra",
    "element-otherwise",
    "set-missing",
    "set-extra",
    "set-otherwise",
  );
  const missing = count([...inOurs, ...elements], ({ b, a }) => b.length > 0 && a.length === 0);
  const extra = count([...inOurs, ...elements], ({ b, a }) => a.length > 0 && b.length === 0);
  const changed = count([...inOurs, ...elements], ({ b, a }) => a.length > 0 && b.length > 0) + of("order").length;
  if (missing > 0 && extra === 0 && changed === 0) {
    found.push(
      missing >= 3 && of("chain-missing").length > 0
        ? "rules are only missing: half of them were restored, or they are of a time before these objects (nothing updates them any more?)"
        : "rules are only missing: somebody has deleted or flushed them, or an update has not come through",
    );
  } else if (extra > 0 && missing === 0 && changed === 0) {
    found.push("rules are only there in addition: left from objects that are gone, or added by hand");
  } else if (missing + extra + changed > 0) {
    found.push(
      "rules are others: of an earlier state of these objects (is what writes them alive?), or changed by hand",
    );
  }
  return found;
}

function whereOf({ family, table, chain, set }: Pick<RuleDifference, "family" | "table" | "chain" | "set">): string {
  return [family, table, chain ?? set ?? ""].join(" ").trim();
}

function count(all: readonly RuleDifference[], is: (difference: RuleDifference) => boolean): number {
  return all.filter(is).length;
}

/** Each table once, as `family name`. */
function unique(all: readonly RuleDifference[]): { table: string }[] {
  return [...new Set(all.map(({ family, table }) => `${family} ${table}`))].map((table) => ({ table }));
}
