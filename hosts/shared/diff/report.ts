// The report of `diff`: what writers get, and what `--report json` writes as it is. schemas/diff-report.json
// describes it. Fields and kinds may be added within one format_version; nothing is renamed or taken away.
import type { Mode } from "../contract.ts";
import { plural } from "../plural.ts";
import type { Gate, ReportedChange } from "./changes.ts";

export const formatVersion = 1;

export interface DiffReport {
  readonly format_version: typeof formatVersion;
  readonly kind: "DiffReport";
  /** `sluice 0.1.0` */
  readonly writtenBy: string;
  readonly mode: Mode;
  readonly base: ReportedSide;
  readonly head: ReportedSide;
  /** Names of the nodes that were compared, sorted. Empty name: nobody has named one. */
  readonly nodes: readonly string[];
  /** Names of Nodes that one side alone has, which were not looked from. Absent: there are none. */
  readonly otherNodes?: { readonly base: readonly string[]; readonly head: readonly string[] };
  /** In one line. */
  readonly headline: string;
  readonly services: readonly ServiceChanges[];
  /** Wrong with HEAD and not with BASE, and whatever keeps a side from being known whole. */
  readonly problems: readonly ReportedProblem[];
  /** Absent where nothing changes for traffic. */
  readonly rules?: RulesChange;
  /** Those that are violated, in the order of the list that `--fail-on` has. */
  readonly gates: readonly Gate[];
}

export interface ReportedSide {
  readonly name: string;
  /** False: part of it could not be read, so what seems to be gone may be there. */
  readonly complete: boolean;
  readonly services: number;
  /** What the files left open; empty: nothing. */
  readonly assumed: string;
}

export interface ServiceChanges {
  readonly namespace: string;
  readonly name: string;
  /** Its name in BASE, where it had another. */
  readonly formerName?: string;
  readonly changes: readonly ReportedChange[];
}

export interface ReportedProblem {
  readonly side: "base" | "head";
  readonly severity: "error" | "warning";
  readonly code: string;
  /** Empty: no file is concerned. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly origin: string;
  /** `Service shop/web`; empty: unknown. */
  readonly object: string;
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

/** Lines of rule text that only one side has, on one node. */
export interface RulesChange {
  readonly node: string;
  readonly added: number;
  readonly removed: number;
  /** With `--rules`: `+` or `-` before each line. */
  readonly lines?: readonly string[];
}

export function violatedGates({ services, problems }: Pick<DiffReport, "services" | "problems">): Gate[] {
  const violated = new Set<Gate>(services.flatMap(({ changes }) => changes.flatMap((change) => change.gates)));
  if (problems.length > 0) violated.add("problems");
  if (services.length > 0) violated.add("any");
  const order: readonly Gate[] = [
    "lost-endpoints",
    "unreachable",
    "new-exposure",
    "source-ip",
    "conflict",
    "problems",
    "any",
  ];
  return order.filter((gate) => violated.has(gate));
}

/** `3 Services change · 1 loses all endpoints on 4 nodes · +18 −6 rules` */
export function headlineOf(report: Omit<DiffReport, "headline">): string {
  const { services, rules, base, head, nodes, problems } = report;
  const parts: string[] = [];
  if (services.length === 0) parts.push("no Service changes");
  else parts.push(`${plural(services.length, "Service")} ${services.length === 1 ? "changes" : "change"}`);
  const count = (text: (one: boolean) => string, isWanted: (change: ReportedChange) => boolean) => {
    const found = services.filter(({ changes }) => changes.some(isWanted));
    if (found.length > 0) parts.push(`${found.length} ${text(found.length === 1)}`);
    return found.flatMap(({ changes }) => changes.filter(isWanted));
  };
  const losing = count(
    (one) => `${one ? "loses" : "lose"} all endpoints`,
    ({ kind }) => kind === "lost-endpoints",
  );
  const seenBy = new Set(losing.flatMap((change) => change.nodes));
  if (losing.length > 0 && seenBy.size < nodes.length) parts.push(`${parts.pop()} on ${plural(seenBy.size, "node")}`);
  count(
    (one) => (one ? "disappears" : "disappear"),
    ({ kind }) => kind === "service-disappears",
  );
  count(
    (one) => (one ? "is refused" : "are refused"),
    ({ kind }) => kind === "service-refused",
  );
  count(
    (one) => `${one ? "opens" : "open"} to more clients`,
    ({ gates }) => gates.includes("new-exposure"),
  );
  count(
    (one) => `${one ? "shows" : "show"} another source IP`,
    ({ kind }) => kind === "source-ip",
  );
  count(
    (one) => `${one ? "conflicts" : "conflict"} with another`,
    ({ kind }) => kind === "conflict",
  );
  if (rules !== undefined) parts.push(`+${rules.added} −${rules.removed} rules`);
  const unread = [base, head].filter(({ complete }) => !complete).map(({ name }) => name);
  if (unread.length > 0) parts.push(`part of ${unread.join(" and of ")} could not be read`);
  else if (problems.length > 0) parts.push(plural(problems.length, "new problem"));
  return parts.join(" · ");
}
